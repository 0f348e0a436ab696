"""What a run is about to write, and what it has written to the end, in the record of its folder."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from adapt_core.run_folder.contents import content_of
from adapt_core.run_folder.files import temporary_folder
from adapt_core.run_folder.names import CHECKPOINTS, LOG
from adapt_core.run_folder.ownership import Ownership, refuse

log = logging.getLogger(__name__)


@contextmanager
def placed_folder(folder: Path, name: str) -> Iterator[Path]:
    """A temporary folder that becomes a complete and sealed folder of the run when the block ends well.

    It is sealed before it takes its place, so that files which somebody puts into it can be told at any moment. What an
    interrupted run left under its name is deleted. Where the block leaves it empty, there is none of that name.

    Raises:
        InputError: the folder in its place has files of somebody else.
    """
    path = folder / name
    with temporary_folder(path) as temporary:
        yield temporary
        owner = Ownership.of(folder)
        refuse(folder, owner.foreign(name))
        owner.forget(name)
        if any(temporary.iterdir()):
            owner.claim(name)
            owner.written[name] = content_of(temporary)
            owner.save()
            os.replace(temporary, path)
        else:
            temporary.rmdir()


def claim(folder: Path, *names: str) -> None:
    """List names in the record of a run folder that are about to be written; see `Ownership.claim`."""
    Ownership.of(folder).claim(*names)


def seal_names(folder: Path, *names: str) -> None:
    """Record what is in names of a run folder that are complete."""
    Ownership.of(folder).seal(*names)


def complete(folder: Path) -> None:
    """Seal what a finished run wrote, and delete the run that it replaced."""
    owner = Ownership.of(folder)
    open_names = [name for name, content in owner.written.items() if content is None]
    for name in open_names:
        if not os.path.lexists(folder / name):
            del owner.written[name]
        elif name != LOG and not name.startswith(CHECKPOINTS):
            owner.written[name] = content_of(folder / name)
    owner.save()
    try:
        owner.discard_replaced()
    except OSError as error:
        log.warning("%s, the run that was replaced, cannot be deleted: %s.", owner.aside, error.strerror or error)
