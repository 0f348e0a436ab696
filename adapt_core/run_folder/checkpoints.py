"""Complete and incomplete checkpoints: a manifest is written last."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path

from adapt_core.errors import InputError
from adapt_core.run_folder.files import digest_of, write_text

MANIFEST = "manifest.json"
_NAME = re.compile(r"checkpoint-(\d+)")

log = logging.getLogger(__name__)


def seal(checkpoint: Path) -> None:
    """Write the manifest (size and XXH3-128 of each file), which marks a checkpoint as complete."""
    files = {
        str(path.relative_to(checkpoint)): [path.stat().st_size, digest_of(path)]
        for path in sorted(checkpoint.rglob("*"))
        if path.is_file() and path.name != MANIFEST
    }
    write_text(checkpoint / MANIFEST, json.dumps({"files": files}, indent=1))


def fault(checkpoint: Path) -> str | None:
    """Return why a checkpoint is not complete, or None."""
    try:
        files = json.loads((checkpoint / MANIFEST).read_text(encoding="utf-8"))["files"]
    except FileNotFoundError:
        return "it has no manifest: its writing was interrupted"
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"its manifest cannot be read ({error})"
    for name, (size, digest) in files.items():
        path = checkpoint / name
        if not path.is_file():
            return f"{name} is missing"
        if path.stat().st_size != size:
            return f"{name} has {path.stat().st_size} bytes instead of {size}"
        if digest_of(path) != digest:
            return f"{name} has changed"
    return None


def step_of(checkpoint: Path) -> int:
    """Return the optimizer step in a checkpoint's name.

    Raises:
        InputError: the name is not checkpoint-N.
    """
    match = _NAME.fullmatch(checkpoint.name)
    if match is None:
        raise InputError(f"{checkpoint} is not a checkpoint: its name must be checkpoint-STEP.")
    return int(match[1])


def newest_complete(folder: Path) -> Path | None:
    """Return the complete checkpoint with the most steps, or None. Log which were skipped, and why."""
    found = [path for path in folder.glob("checkpoint-*") if _NAME.fullmatch(path.name) and path.is_dir()]
    for checkpoint in sorted(found, key=step_of, reverse=True):
        reason = fault(checkpoint)
        if reason is None:
            return checkpoint
        log.warning("%s is skipped: %s.", checkpoint.name, reason)
    return None
