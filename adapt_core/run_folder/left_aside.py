"""Files of a run that was put back while other files stood in their places."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from adapt_core.errors import InputError
from adapt_core.run_folder.contents import delete_emptied, move
from adapt_core.run_folder.ownership import Ownership


def take_back(owner: Ownership) -> None:
    """Put back what stayed aside, where its place is free now. The caller holds the lock of the folder."""
    for aside in sorted(owner.folder.glob(".replaced-*")):
        kept = None if aside.is_symlink() else _record_of(aside)
        if kept is None or kept.run != owner.run:
            continue
        for name, content in sorted(kept.written.items()):
            if os.path.lexists(aside / name) and not os.path.lexists(owner.folder / name):
                owner.written[name] = content  # recorded first: a kill here leaves a name without a file
                owner.save()
                move([name], aside, owner.folder)
        delete_emptied(aside)


def _record_of(aside: Path) -> Ownership | None:
    """Return the record of a folder that may be somebody else's; None where it is no record of ours."""
    with suppress(InputError):
        return Ownership.read(aside)
    return None
