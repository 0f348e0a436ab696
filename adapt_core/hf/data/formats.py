"""The format of each split of a data set of files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import attrs

from adapt_core.config.core_params.data import DataParams
from adapt_core.config.formats import format_choices
from adapt_core.config.plan import FormatChoice
from adapt_core.contracts.format import Format, Place
from adapt_core.contracts.recognition import Recognised, described, recognise
from adapt_core.errors import DataError, InputError
from adapt_core.hf.data.tables.column_names import Columns, Suffices
from adapt_core.hf.data.tables.other_formats import remedy_for
from adapt_core.plugin.registry import Registry
from adapt_core.plugin.specs import TABLE

if TYPE_CHECKING:
    from datasets import Dataset

_MANY = 20
"""Suffixes of a format that messages do not list."""
SHEETS = "sheets"
"""The format whose files have sheets."""


@runtime_checkable
class TableFormat(Format, Protocol):
    """A format of whole tables, which are read a batch at a time and kept in Arrow files."""

    def tables(self, places: Mapping[str, Place]) -> dict[str, Dataset]:
        """Return the rows of each split from its files, memory-mapped.

        Raises:
            DataError: naming the file and line that cannot be read.
        """

    def columns(self, place: Place, suffices: Suffices) -> Columns | None:
        """Return the columns of a split, read without a heavy library; None where its files do not tell them at once.

        Args:
            place: the split.
            suffices: see `Suffices`.

        Raises:
            DataError: a file cannot be read.
        """


@attrs.frozen
class FileKinds:
    """Which files count as data.

    Attributes:
        suffixes: of the formats that serve the task, in small letters.
        general: those of them that formats know by names of files alone.
        paired: those of them that count in a folder only beside another one of them.
        documents: for each format of documents, its suffixes.
        any: whether a file that a key names counts whatever its suffix.
        named: whether DATA_FORMAT names the format.
        all: whether files in folders count whatever their suffixes.
        told: the suffixes as messages name them: those of a format that has very many by its name.
    """

    suffixes: tuple[str, ...]
    general: tuple[str, ...] = ()
    paired: tuple[str, ...] = ()
    documents: tuple[tuple[str, ...], ...] = ()
    any: bool = False
    named: bool = False
    all: bool = False
    told: tuple[str, ...] = ()

    @classmethod
    def of(cls, data: DataParams, formats: Sequence[FormatChoice] | None) -> FileKinds:
        """Return those of the format that DATA_FORMAT names, or of all.

        Args:
            data: for DATA_FORMAT.
            formats: see `recognise_splits`.
        """
        every = table_formats() if formats is None else formats
        named = [one for one in every if one.name == data.data_format]
        asked = named or every
        suffixes = tuple(dict.fromkeys(suffix for one in asked for suffix in one.suffixes))
        general = tuple(dict.fromkeys(suffix for one in asked if one.general for suffix in one.suffixes))
        told = [one.suffixes if len(one.suffixes) < _MANY else (f"those of {one.name}",) for one in asked]
        return cls(
            suffixes,
            general,
            paired=tuple(dict.fromkeys(suffix for one in asked if one.paired for suffix in one.suffixes)),
            documents=tuple(one.suffixes for one in asked if one.documents),
            any=bool(named) or not all(one.suffixes for one in asked),
            named=bool(named),
            told=tuple(dict.fromkeys(suffix for one in told for suffix in one)),
        )

    def __str__(self) -> str:
        return ", ".join(self.told)

    def lists(self, path: Path) -> bool:
        """Return whether a file in a folder counts."""
        if self.all and not (self.suffixes and remedy_for(path.suffix)):
            return True
        suffix = path.suffix.casefold()
        return suffix in self.suffixes and (suffix not in self.paired or self._has_partner(path))

    def _has_partner(self, path: Path) -> bool:
        """Return whether a file of the same name has another of the paired suffixes."""
        beside = (one for one in path.parent.iterdir() if one.stem == path.stem and one.suffix != path.suffix)
        return any(one.suffix.casefold() in self.paired for one in beside)

    def documents_in(self, files: Sequence[Path]) -> list[Path]:
        """Return the files that are documents: those with one of the same name beside them."""
        found: list[Path] = []
        for suffixes in self.documents:
            own = [path for path in files if path.suffix.casefold() in suffixes]
            names = Counter(path.stem for path in own)
            found += [path for path in own if names[path.stem] > 1]
        return found

    def of_folder(self, entries: Sequence[Path]) -> tuple[Path, ...]:
        """Return those of a split's folder that count."""
        others = (path for path in entries if path.is_file() and self.where_none_is_listed().lists(path))
        return tuple(filter(self.lists, entries)) or tuple(others)

    def where_none_is_listed(self) -> FileKinds:
        """Return what counts where no file in a folder does: any file of a format that DATA_FORMAT names."""
        return attrs.evolve(self, all=self.named)

    def require(self, path: Path) -> Path:
        """Return a file that a key names.

        Raises:
            InputError: it does not count.
        """
        if not self.any and not self.all and path.suffix.casefold() not in self.suffixes:
            raise InputError(
                f"{path}: files of type {path.suffix or '(none)'!r} are not supported; these are: {self}."
                f"{remedy_for(path.suffix)}"
            )
        return path


def table_formats() -> tuple[FormatChoice, ...]:
    """Return the formats of tables that are installed."""
    return format_choices(Registry.discover(), (TABLE,))


def recognise_splits(
    files: Mapping[str, Sequence[Path]],
    formats: Sequence[FormatChoice] | None = None,
    named: str | None = None,
    sheet: str | None = None,
) -> dict[str, Recognised]:
    """Return the format of each split.

    Args:
        files: of each split.
        formats: those that serve the task, as `plan.formats`; None for those of tables that are installed.
        named: DATA_FORMAT.
        sheet: SHEET.

    Raises:
        InputError: two formats recognise a split, or none does; SHEET is given, and no split has sheets.
        DataError: a file is empty, or the files of a split are of several kinds.
    """
    every = table_formats() if formats is None else formats
    found = {}
    for split, paths in files.items():
        place = Place(split=split, root=paths[0].parent, files=tuple(paths), sheet=sheet)
        found[split] = _recognise(place, every, named)
    if sheet is not None and found and not any(one.choice.name == SHEETS for one in found.values()):
        first = next(iter(found.values()))
        raise InputError(
            f"SHEET names a sheet of an .xlsx or .ods file, and {described(first.place)} is none. Leave SHEET out."
        )
    return found


def _recognise(place: Place, formats: Sequence[FormatChoice], named: str | None) -> Recognised:
    paths = place.files
    found = recognise(place, formats, named)
    suffixes = sorted({path.suffix.casefold() for path in paths})
    if len(suffixes) > 1 and (found is None or found.place.files != paths):
        raise DataError(
            f"{paths[0].parent} mixes kinds of file in one split: {', '.join(suffixes)}. Keep one kind, or "
            "name its format by DATA_FORMAT."
        )
    for path in paths if found is None else found.place.files:
        if path.stat().st_size == 0 and not (found is not None and found.choice.documents):
            raise DataError(f"{path} is empty. Add rows, or remove the file.")
    if found is None:
        there = [one.name for one in formats if paths[0].suffix.casefold() in one.suffixes] or [o.name for o in formats]
        raise InputError(
            f"{paths[0]} is not recognised as {' or '.join(there)}. Correct the file, or name the format of your data "
            "by DATA_FORMAT."
        )
    return found
