"""The record of what a run wrote into its folder: nothing else is ever replaced or deleted.

`.adapt-run.json` is written before any other file. A name is listed before it is written (claimed) and, once complete,
with the size and XXH3-128 of each of its files (sealed), so that files which somebody else put there are found.

A run that takes another's place moves that run to `.replaced-RUN/` and deletes it when it has finished.
"""

from __future__ import annotations

import json
import logging
import os
import re
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs

from adapt_core.errors import InputError
from adapt_core.run_folder.contents import Content, content_of, delete_emptied, differences, move, remove
from adapt_core.run_folder.files import write_text
from adapt_core.run_folder.names import CHECKPOINTS, LOG, MARKER, NAMES, is_run_folder
from adapt_core.run_folder.placements import Placement, delete_hidden

_FORMAT = 1
_STEP = re.compile(r"checkpoint-\d+")
_CHECKPOINT = re.compile(rf"{CHECKPOINTS}/checkpoint-\d+")
_RUN = re.compile(r"[0-9a-f]{12}")

log = logging.getLogger(__name__)


@attrs.define
class Ownership:
    """The record of a run folder.

    Attributes:
        folder: the run folder.
        run: the run's id.
        written: names that the run wrote or is writing; None until they are sealed.
        inputs: digests of the run's data and base model (see `adapt_core.run_folder.inputs`).
        placements: what is being put into place, by name; see `adapt_core.run_folder.placements`.
        earlier: the record of the run that this one replaces, until it has finished.
        moving: whether files are being moved to or from the folder of the replaced run.
    """

    folder: Path
    run: str = attrs.field(factory=lambda: uuid.uuid4().hex[:12])
    written: dict[str, Content | None] = attrs.field(factory=dict)
    inputs: dict[str, dict[str, str]] = attrs.field(factory=dict)
    placements: dict[str, Placement] = attrs.field(factory=dict)
    earlier: dict[str, Any] | None = None
    moving: bool = False

    @classmethod
    def read(cls, folder: Path) -> Ownership | None:
        """Return the record of a folder, or None where no run has written to it.

        Raises:
            InputError: the record cannot be read.
        """
        path = folder / MARKER
        try:
            if path.is_symlink():
                raise ValueError("it is a link")
            return cls._of(folder, json.loads(path.read_text(encoding="utf-8")))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"{path}, the record of what a run wrote, cannot be read ({error}). Give another OUTPUT_DIR."
            ) from None

    @classmethod
    def of(cls, folder: Path) -> Ownership:
        """Return the record of a folder, a new one where no run has written to it."""
        return cls.read(folder) or cls(folder)

    @classmethod
    def _of(cls, folder: Path, data: Mapping[str, Any]) -> Ownership:
        if data["format"] != _FORMAT:
            raise ValueError(f"its format is {data['format']}, this version of adapt knows {_FORMAT}")
        written = {str(name): content for name, content in data["written"].items()}
        placements = {str(name): Placement.of(name, held) for name, held in data.get("placements", {}).items()}
        strange = [name for name in (*written, *placements) if name not in NAMES and not _CHECKPOINT.fullmatch(name)]
        if strange or not _RUN.fullmatch(data["run"]):
            raise ValueError(f"{(strange or [data['run']])[0]!r} is not a name that a run writes")
        waiting = {name: held for name, held in placements.items() if held.is_waiting(folder, name)}
        arrived = {name: held.content or None for name, held in placements.items() if name not in waiting}
        rest = (dict(data["inputs"]), waiting, data["earlier"], bool(data["moving"]))
        return cls(folder, data["run"], {**written, **arrived}, *rest)

    def save(self) -> None:
        """Write the record."""
        write_text(self.folder / MARKER, json.dumps(self._to_data(), indent=1))

    def _to_data(self) -> dict[str, Any]:
        return {"format": _FORMAT, **attrs.asdict(self, filter=lambda field, _: field.name != "folder")}

    @property
    def aside(self) -> Path:
        """The folder of the run that this one replaces."""
        return self.folder / f".replaced-{self.run}"

    def settle(self) -> None:
        """Delete what a killed command left under hidden names. The caller holds the lock of the folder."""
        delete_hidden(self.folder, self.placements)
        if self.placements:
            self.placements = {}
            self.save()

    def place(self, name: str, hidden: Path, content: Content | None) -> None:
        """Rename what was made under a hidden name, which is recorded first; see `Placement`.

        Where that fails or is interrupted, the record tells what is there: nobody waits for the hidden name.

        Args:
            name: its place, which nothing of somebody else's has.
            hidden: beside its place.
            content: of what takes the place, or {} of something that will grow.
        """
        self.placements[name] = Placement(hidden.name, content)
        try:
            self.save()
            os.replace(hidden, self.folder / name)
        finally:
            del self.placements[name]
            if not os.path.lexists(hidden):
                self.written[name] = content or None
            self.save()

    def require_own(self, name: str) -> None:
        """Check that a name is free, or has something that the run wrote.

        Raises:
            InputError: it exists and no run wrote it, or it is a link.
        """
        path = self.folder / name
        if path.is_symlink() or (name not in self.written and os.path.lexists(path)):
            raise InputError(
                f"{path} was not written by a run of adapt and would be overwritten. Move it away, or give another "
                "OUTPUT_DIR."
            )

    def claim(self, *names: str) -> None:
        """List names that are about to be written.

        Args:
            names: top-level names, or "checkpoints/checkpoint-STEP".

        Raises:
            InputError: see `require_own`.
        """
        before = dict(self.written)
        for name in names:
            self.require_own(name)
            self.written[name] = None
        if self.written != before or not is_run_folder(self.folder):
            self.save()

    def seal(self, *names: str) -> None:
        """Record what is in names that are complete."""
        for name in names:
            self.written[name] = content_of(self.folder / name)
        self.save()

    def unclaimed(self) -> list[str]:
        """Return what is in the way of a run: names that the run did not write, and links. Reads no content."""
        return [name for name, reason in self._foreign() if reason != "changed"]

    def changed(self) -> list[str]:
        """Return the sealed files of the top level that are not as the run wrote them."""
        return [
            name
            for name, content in self.written.items()
            if content and "" in content and any(differences(self.folder / name, content, is_checkpoint=False))
            if (self.folder / name).is_file()
        ]

    def foreign(self, *names: str) -> list[str]:
        """Return everything that a replacement would lose: `unclaimed`, and files in the run's own folders.

        Args:
            names: top-level names to look at; all of them where none is given.
        """
        return [f"{name} ({reason})" if reason else name for name, reason in self._foreign(names, contents=True)]

    def _foreign(self, names: tuple[str, ...] = (), *, contents: bool = False) -> Iterator[tuple[str, str]]:
        for name in self._present():
            if names and name not in names:
                continue
            path = self.folder / name
            if path.is_symlink():
                yield name, "a link"
            elif name not in self.written:
                if not (self.moving and self.earlier and name in self.earlier["written"]):
                    yield name, ""
            elif contents:
                for inside, reason in differences(
                    path, self.written[name], is_checkpoint=name.startswith(f"{CHECKPOINTS}/")
                ):
                    yield f"{name}/{inside}" if inside else name, reason

    def _present(self) -> Iterator[str]:
        for name in NAMES:
            path = self.folder / name
            if os.path.lexists(path):
                yield name
        steps = self.folder / CHECKPOINTS
        if CHECKPOINTS in self.written and steps.is_dir() and not steps.is_symlink():
            yield from (f"{CHECKPOINTS}/{path.name}" for path in sorted(steps.iterdir()) if _STEP.fullmatch(path.name))

    @property
    def has_written(self) -> bool:
        """Whether the run wrote more than its log and the empty folder of its checkpoints."""
        return any(name not in (LOG, CHECKPOINTS) for name in self.written)

    def replace(self) -> Ownership:
        """Move what this run wrote aside, for a new run, and return the new run's record.

        Raises:
            InputError: a file cannot be moved; everything is as before.
        """
        kept: dict[str, Content | None] = {LOG: None, CHECKPOINTS: None}
        new = Ownership(self.folder, written=kept, earlier=self._to_data(), moving=True)
        try:
            new.aside.mkdir()
            write_text(new.aside / MARKER, json.dumps(self._to_data(), indent=1))
            new.save()
            move(sorted(name for name in self.written if name != LOG), self.folder, new.aside)
        except OSError as error:
            with suppress(OSError):
                new.restore()
            raise InputError(
                f"{error.filename or self.folder} cannot be replaced: {error.strerror or error}. "
                "Make it writable, or give another OUTPUT_DIR."
            ) from None
        new.moving = False
        new.save()
        return new

    def restore(self) -> Ownership:
        """Put back the run that this one was to replace, and return its record."""
        assert self.earlier is not None
        self.moving = True
        self.remove_written()
        earlier = Ownership._of(self.folder, self.earlier)
        if self.aside.is_dir():
            for name in move(sorted(earlier.written), self.aside, self.folder):
                del earlier.written[name]
                log.warning("%s stays in %s until its place, which another file has, is free.", name, self.aside)
        earlier.written.setdefault(LOG, None)
        earlier.save()
        if self.aside.is_dir():
            delete_emptied(self.aside)
        return earlier

    def discard_replaced(self) -> None:
        """Delete the run that this one replaced."""
        if self.earlier is None:
            return
        if self.aside.is_dir() and not self.aside.is_symlink():
            earlier = Ownership._of(self.aside, self.earlier)
            names = {*earlier.written, CHECKPOINTS, MARKER}
            for name in sorted(names, reverse=True):  # checkpoints before their folder
                remove(self.aside / name, earlier.written.get(name))
            try:
                self.aside.rmdir()
            except OSError:
                log.warning("%s is kept: it has files that no run of adapt wrote.", self.aside)
        self.earlier = None
        self.save()

    def remove_written(self) -> None:
        """Delete what this run wrote, but for its log."""
        for name in sorted(self.written, reverse=True):  # checkpoints before their folder
            if name != LOG:
                remove(self.folder / name, self.written[name])
        self.written = {LOG: None, CHECKPOINTS: None}
        self.save()

    def forget(self, name: str) -> None:
        """Delete one thing that this run wrote; files in it that it did not write stay."""
        if name in self.written:
            remove(self.folder / name, self.written[name])
            if not os.path.lexists(self.folder / name):
                del self.written[name]
            self.save()
