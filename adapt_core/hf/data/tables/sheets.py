"""Spreadsheets (.xlsx, .ods): the rows of one sheet, each cell as a csv file would have it.

The first row that has a cell is the header, and rows without any are passed over. Formulas have the values that the
program which saved the file computed. A column whose cells are all numbers, in each split, is numbers; of the others a
cell is the text that a csv file would have, and the whole column tells its type as that of a csv file.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from adapt_core.contracts.format import Place, Row
from adapt_core.errors import DataError, InputError, first_of
from adapt_core.hf.data.tables.batches import Batches, Splits, same_columns
from adapt_core.hf.data.tables.column_names import Columns, Suffices
from adapt_core.hf.data.tables.delimited import ColumnTypes, batches, named_columns, values_of
from adapt_core.hf.data.tables.sheet_faults import first_fault
from adapt_core.hf.data.tables.store import Rows, fingerprint_of, stored

if TYPE_CHECKING:
    from datasets import Dataset
    from python_calamine import CalamineSheet, CalamineWorkbook

_EXACT = 2**53
_WIDEST = ("int64", "float64")


@attrs.frozen
class Sheet:
    """A sheet that was read.

    Attributes:
        name: of the sheet.
        names: of its columns.
        rows: below the header, each with its number in the sheet.
        numbers: the columns whose cells are all numbers -> "int64", "float64", or "" where all are empty.
    """

    name: str
    names: Sequence[str]
    rows: Sequence[tuple[int, list[str]]]
    numbers: Mapping[str, str]


class Sheets:
    """The format."""

    def recognise(self, place: Place) -> str | None:
        """Return the sheet that is read.

        Raises:
            InputError: python-calamine is not installed, or it is not known which sheet is meant.
        """
        if not place.files:
            return None
        path = place.files[0]
        return f"{path.name}: the sheet {_sheet_name(_opened(path), path, place.sheet)!r}"

    def read(self, place: Place) -> Iterator[Row]:
        """Yield the rows with the types of these files; see `Format`."""
        seen = _Seen({place.split: place.files}, place.sheet)
        for path, sheet in seen.sheets.items():
            for number, cells in sheet.rows:
                part = f"sheet {sheet.name!r}, row {number}"
                yield Row(values_of(sheet.names, cells, seen.types), path, part=part)

    def tables(self, places: Mapping[str, Place]) -> dict[str, Dataset]:
        """Return the rows of each split; types are decided over all."""
        splits = {split: place.files for split, place in places.items()}
        wanted = next(iter(places.values())).sheet
        seen = _Seen(splits, wanted)
        own = {split: fingerprint_of(paths, f"sheet {wanted}") for split, paths in splits.items()}
        digests = {split: fingerprint_of((), digest, *own.values()) for split, digest in own.items()}
        return {split: stored(digests[split], partial(_cells, paths, seen)) for split, paths in splits.items()}

    def columns(self, place: Place, suffices: Suffices) -> Columns:
        """Return the names in the header."""
        return dict.fromkeys(read_sheet(place.files[0], place.sheet).names, ())


class _Seen:
    """The sheets of all splits and their column types; the files are read for them once, where any has to be read."""

    def __init__(self, splits: Splits, wanted: str | None) -> None:
        self._splits, self._wanted = splits, wanted

    @cached_property
    def sheets(self) -> dict[Path, Sheet]:
        """The sheet of each file."""
        return {path: read_sheet(path, self._wanted) for paths in self._splits.values() for path in paths}

    @cached_property
    def types(self) -> ColumnTypes:
        """The types over all files."""
        types = ColumnTypes(self._numbers())
        for sheet in self.sheets.values():
            types.see(sheet.names, (cells for _, cells in sheet.rows))
        return types

    def _numbers(self) -> dict[str, str]:
        """Return the types of the columns that have numbers alone in each sheet."""
        found: dict[str, set[str | None]] = {}
        for sheet in self.sheets.values():
            for name in sheet.names:
                found.setdefault(name, set()).add(sheet.numbers.get(name))
        # A column without a value in a sheet is of any kind there.
        every: dict[str, list[str]] = {
            name: [kind for kind in kinds if kind] for name, kinds in found.items() if None not in kinds
        }
        return {name: max(kinds, key=_WIDEST.index) for name, kinds in every.items() if kinds}


def _cells(paths: Sequence[Path], seen: _Seen) -> Rows:
    from datasets import Features, Value

    names = same_columns({path: list(seen.sheets[path].names) for path in paths})
    features = Features({name: Value(seen.types.of(name)) for name in names})

    def content(path: Path) -> Iterator[Mapping[str, list[Any]]]:
        return batches(names, (cells for _, cells in seen.sheets[path].rows), seen.types)

    told = tuple(f"{path.name}: the sheet {seen.sheets[path].name!r}" for path in paths)
    return Rows(features, Batches(paths, content, features).tables, told)


def read_sheet(path: Path, wanted: str | None) -> Sheet:
    """Return a sheet of a file.

    Args:
        path: the file.
        wanted: its name (SHEET); None for the only one that has cells.

    Raises:
        InputError: see `Sheets.recognise`.
        DataError: the file cannot be read; or a cell has an error, or a formula that was never computed.
    """
    book = _opened(path)
    name = _sheet_name(book, path, wanted)
    fault = first_fault(path, name)
    if fault is not None:
        row, column, what = fault
        raise DataError(
            f"{path}, sheet {name!r}, cell {_letters(column)}{row} has {what}, and no value. Correct the formula, let "
            "your spreadsheet program compute it, and save the file."
        )
    sheet = _sheet_of(book, path, name)
    first = (sheet.start or (0, 0))[0] + 1
    given = list(enumerate(sheet.to_python(), start=first))
    every = [(number, [_text(cell) for cell in cells]) for number, cells in given]
    filled = [(number, cells) for number, cells in every if any(cells)]
    if len(filled) < 2:
        raise DataError(
            f"{path}, sheet {name!r} contains no row below a header. Add rows, or name another sheet by SHEET."
        )
    (number, header), *rows = filled
    used = [at for at in range(len(header)) if any(cells[at] for _, cells in filled)]
    names = named_columns([header[at] for at in used], f"{path}, sheet {name!r}, row {number}")
    numbers = {
        column: kind
        for column, at in zip(names, used, strict=True)
        if (kind := _kind([cells[at] for place, cells in given if place > number])) is not None
    }
    return Sheet(name, names, [(place, [cells[at] for at in used]) for place, cells in rows], numbers)


def _kind(cells: Sequence[object]) -> str | None:
    """Return the type of the numbers of a column, "" where all cells are empty; None where one is no number."""
    found = ""
    for cell in cells:
        if isinstance(cell, bool) or not isinstance(cell, int | float):
            if cell not in ("", None):
                return None
        elif not float(cell).is_integer() or abs(cell) >= _EXACT:
            found = "float64"
        else:
            found = found or "int64"
    return found


def _opened(path: Path) -> CalamineWorkbook:
    try:
        from python_calamine import CalamineError, CalamineWorkbook
    except ImportError:
        raise InputError(
            f"{path}: spreadsheets need python-calamine. Install it: pip install 'adapt-core[sheets]'; or save the "
            "sheet as .csv."
        ) from None
    try:
        return CalamineWorkbook.from_path(path)
    except (CalamineError, OSError) as error:
        raise DataError(f"{path} cannot be read as a spreadsheet: {error}. Save the file again.") from None


def _sheet_of(book: CalamineWorkbook, path: Path, name: str) -> CalamineSheet:
    """Return a sheet of cells.

    Raises:
        DataError: it is a chart, or damaged.
    """
    from python_calamine import CalamineError

    try:
        return book.get_sheet_by_name(name)
    except CalamineError as error:
        raise DataError(
            f"{path}, sheet {name!r} cannot be read: {error}. Name a sheet of cells by SHEET, or save the file again."
        ) from None


def _sheet_name(book: CalamineWorkbook, path: Path, wanted: str | None) -> str:
    from python_calamine import SheetTypeEnum, SheetVisibleEnum

    names = book.sheet_names
    if wanted is not None:
        found = [name for name in names if name.strip().casefold() == wanted.strip().casefold()]
        if not found:
            raise InputError(f"SHEET: {path} has no sheet {wanted!r}; it has {first_of(names)}. Correct the name.")
        return str(wanted if wanted in names else found[0])
    shown = (SheetTypeEnum.WorkSheet, SheetVisibleEnum.Visible)
    seen = [one.name for one in book.sheets_metadata if (one.typ, one.visible) == shown]
    filled = [name for name in seen if _sheet_of(book, path, name).start is not None]
    if not filled:
        raise DataError(f"{path}: no sheet has a cell, hidden ones left out. Add rows, or name a sheet by SHEET.")
    if len(filled) > 1:
        raise InputError(f"{path} has several sheets: {first_of(filled)}. Name the one that has the rows by SHEET.")
    return str(filled[0])


def _text(cell: object) -> str:
    """Return a cell as a csv file has it; a date in ISO 8601."""
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < _EXACT else str(cell)
    if isinstance(cell, (datetime.date, datetime.time)):  # a datetime is a date
        return cell.isoformat()
    return str(cell)


def _letters(column: int) -> str:
    """Return the letters of a column, from 1."""
    letters = ""
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters
