"""What a run is about to write, and what it has written to the end, in the record of its folder."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from adapt_core.errors import InputError, first_of
from adapt_core.run_folder.contents import content_of, remove
from adapt_core.run_folder.files import digest_of, make_hidden, make_hidden_folder, temporary_folder, unlock
from adapt_core.run_folder.names import CHECKPOINTS, LOG, is_run_folder
from adapt_core.run_folder.ownership import Ownership
from adapt_core.run_folder.placements import Placement

_SHOWN = 6

log = logging.getLogger(__name__)


@contextmanager
def placed_folder(folder: Path, name: str) -> Iterator[Path]:
    """A temporary folder that becomes a complete and sealed folder of the run when the block ends well.

    It is sealed before it takes its place, so that files which somebody puts into it can be told at any moment. What an
    interrupted run left under its name is deleted. Where the block leaves it empty, there is none of that name.

    Raises:
        InputError: the folder in its place has files of somebody else.
    """
    with temporary_folder(folder / name) as temporary:
        owner = Ownership.of(folder)
        owner.placements[name] = Placement(temporary.name)
        owner.save()
        yield temporary
        unlock(temporary)
        owner = Ownership.of(folder)
        refuse(folder, owner.foreign(name))
        owner.forget(name)
        if any(temporary.iterdir()):
            owner.require_own(name)
            owner.place(name, temporary, content_of(temporary))
        else:
            temporary.rmdir()
            del owner.placements[name]
            owner.save()


def place_text(folder: Path, name: str, text: str) -> None:
    """Write a file of the run at once, as `write_text` does, with its content recorded before it takes its place.

    Raises:
        InputError: a file of somebody else is in its place.
    """
    place_bytes(folder, name, text.encode())


def place_bytes(folder: Path, name: str, content: bytes) -> None:
    """Write a file of the run at once, as `place_text` does."""
    with _hidden_file(folder, name, content) as (owner, hidden):
        owner.place(name, hidden, {"": [len(content), digest_of(hidden)]})


def place_beginning(folder: Path, name: str, text: str) -> None:
    """Write the beginning of a file that the run will append to; see `place_text`."""
    with _hidden_file(folder, name, text.encode()) as (owner, hidden):
        owner.place(name, hidden, {})


@contextmanager
def _hidden_file(folder: Path, name: str, content: bytes) -> Iterator[tuple[Ownership, Path]]:
    owner = Ownership.of(folder)
    owner.require_own(name)
    hidden = make_hidden(folder / name)
    try:
        hidden.write_bytes(content)
        yield owner, hidden
    except BaseException:
        hidden.unlink(missing_ok=True)
        raise


def make_empty_file(folder: Path, name: str) -> None:
    """Make a file that the run will append to, where there is none yet; see `place_text`."""
    _make(folder, name, make_hidden)


def make_empty_folder(folder: Path, name: str) -> None:
    """Make a folder that the run will write into, where there is none yet; see `place_text`."""
    _make(folder, name, make_hidden_folder)


def _make(folder: Path, name: str, make: Callable[[Path], Path]) -> None:
    owner = Ownership.of(folder)
    if os.path.lexists(folder / name):
        owner.claim(name)
        return
    if not is_run_folder(folder):
        owner.save()
    hidden = make(folder / name)
    try:
        owner.place(name, hidden, {})
    except BaseException:
        remove(hidden, None)
        raise


def claim(folder: Path, *names: str) -> None:
    """List names in the record of a run folder that are about to be written; see `Ownership.claim`."""
    Ownership.of(folder).claim(*names)


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


def refuse(folder: Path, names: list[str]) -> None:
    """Raise InputError where a run folder contains files that no run wrote."""
    if names:
        raise InputError(
            f"OUTPUT_DIR {folder} contains files that were not written by a run of adapt and would be overwritten: "
            f"{first_of(names, _SHOWN)}. Move them away, or give another OUTPUT_DIR."
        )
