"""Complete and incomplete checkpoints: a manifest is written last."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path

import attrs

from adapt_core.errors import InputError
from adapt_core.run_folder.claims import make_empty_folder
from adapt_core.run_folder.contents import MANIFEST
from adapt_core.run_folder.files import digest_of, unlock, write_text
from adapt_core.run_folder.names import CHECKPOINTS
from adapt_core.run_folder.ownership import Ownership

_NAME = re.compile(r"checkpoint-(\d+)")

log = logging.getLogger(__name__)


@attrs.frozen
class StepShape:
    """The batches of an optimizer step, which a resumed run keeps whatever its processes are.

    Attributes:
        processes: in which the run began: an epoch's rows are filled up so that each of them has whole batches.
        batches: in all processes together.
        rows: of a batch; None where an earlier version did not record them: as many as now.
    """

    processes: int
    batches: int
    rows: int | None = None


def seal(checkpoint: Path, shape: StepShape | None = None) -> None:
    """Write the manifest (size and XXH3-128 of each file), which marks a checkpoint as complete.

    Args:
        checkpoint: its folder.
        shape: of the steps that made it, where the loop can keep it in another number of processes.
    """
    unlock(checkpoint)
    files = {
        str(path.relative_to(checkpoint)): [path.stat().st_size, digest_of(path)]
        for path in sorted(checkpoint.rglob("*"))
        if path.is_file() and path.name != MANIFEST
    }
    owner = Ownership.read(checkpoint.parent.parent)
    steps = {} if shape is None else {"steps": attrs.asdict(shape)}
    write_text(checkpoint / MANIFEST, json.dumps({"run": owner and owner.run, **steps, "files": files}, indent=1))


def step_shape(checkpoint: Path) -> StepShape | None:
    """Return the shape of the steps that made a complete checkpoint, or None where it is not recorded."""
    stored = json.loads((checkpoint / MANIFEST).read_text(encoding="utf-8")).get("steps")
    return None if stored is None else StepShape(int(stored["processes"]), int(stored["batches"]), stored.get("rows"))


def run_of(checkpoint: Path) -> str | None:
    """Return the id of the run that wrote a complete checkpoint, or None where it is not recorded."""
    run = json.loads((checkpoint / MANIFEST).read_text(encoding="utf-8")).get("run")
    return run if isinstance(run, str) else None


def claim_checkpoint(checkpoint: Path) -> None:
    """Make the empty folder of a checkpoint, and list it in the record of its run folder.

    An incomplete one of the same step, which an interrupted run left, is deleted.

    Raises:
        InputError: the folder exists and no run wrote it, or a link is in the way.
    """
    folder, name = checkpoint.parent.parent, f"{CHECKPOINTS}/{checkpoint.name}"
    owner = Ownership.of(folder)
    owner.claim(CHECKPOINTS)
    owner.require_own(name)
    if checkpoint.exists():
        owner.forget(name)
    checkpoint.parent.mkdir(exist_ok=True)
    make_empty_folder(folder, name)


def prune(folder: Path, keep: int, best: Path | None) -> None:
    """Delete a run's oldest checkpoints; only folders that the run wrote, and only the files that it wrote.

    Args:
        folder: `checkpoints/` of a run folder.
        keep: how many to keep, the best one included where it is not among the newest.
        best: a checkpoint that is kept.
    """
    owner = Ownership.of(folder.parent)
    own = [path for path in found(folder) if f"{CHECKPOINTS}/{path.name}" in owner.written and not path.is_symlink()]
    own.sort(key=step_of)
    spared = {path.name for path in own[-1:]} | ({best.name} if best is not None else set())
    surplus = len(own) - max(keep, len(spared))
    for path in [path for path in own if path.name not in spared][: max(surplus, 0)]:
        owner.forget(f"{CHECKPOINTS}/{path.name}")


def found(folder: Path) -> list[Path]:
    """Return the folders of the exact name of a checkpoint."""
    return [path for path in folder.glob("checkpoint-*") if _NAME.fullmatch(path.name) and path.is_dir()]


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
    for checkpoint in sorted(found(folder), key=step_of, reverse=True):
        reason = fault(checkpoint)
        if reason is None:
            return checkpoint
        log.warning("%s is skipped: %s.", checkpoint.name, reason)
    return None
