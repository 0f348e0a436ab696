"""What an earlier search has left in a folder whose search was replaced (OVERWRITE_OUTPUT_DIR)."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection
from pathlib import Path

from adapt_core.run_folder.names import LOG, MARKER, is_run_folder
from adapt_core.run_folder.ownership import Ownership

log = logging.getLogger(__name__)

_TRIAL = re.compile(r"trial-\d+(-rung-\d+)?(-again)?")


def remove_other_trials(folder: Path, kept: Collection[str]) -> None:
    """Delete what the runs of other trials wrote. Files that no run wrote stay, and their folder with them.

    Args:
        folder: of the search.
        kept: names of the folders of its own runs.
    """
    for path in sorted(folder.iterdir()):
        if path.name in kept or not _TRIAL.fullmatch(path.name) or path.is_symlink() or not is_run_folder(path):
            continue
        owner = Ownership.of(path)
        if foreign := owner.foreign():
            log.warning("%s of an earlier search is kept: it has files that no run wrote (%s).", path, foreign[0])
            continue
        owner.remove_written()
        for name in (LOG, MARKER):
            (path / name).unlink(missing_ok=True)
        for name in ("checkpoints", ""):
            if (path / name).is_dir() and not any((path / name).iterdir()):
                (path / name).rmdir()
