"""The delimiter, quoting and encoding of a file, recognised from the whole file.

RFC 4180 comes first: commas (tabs in a .tsv), quotes doubled inside quotes. Another dialect is taken only where the
file cannot be read as that, and only where it fits every row.
"""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Literal

import attrs

from adapt_core.errors import DataError, first_of
from adapt_core.hf.data.tables.encodings import HEAD, SPOKEN, UTF8, decoded, encoding_of

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
_DECLARED = re.compile(r"sep=([,;\t|])\s*", re.IGNORECASE)
"""A first line with the separator, as spreadsheets write and read it."""
_ESCAPED = re.compile(r'\\(["\\])')
_SAMPLE_ROWS = 200
_CELL_SHOWN = 60

csv.field_size_limit(min(sys.maxsize, 2**31 - 1))


@attrs.frozen
class Dialect:
    """A way to write rows.

    Attributes:
        separator: between cells.
        escaped: whether a backslash comes before quotes inside cells (and before backslashes), in place of a second
            quote.
        quoted: whether quotes surround cells; where False they are ordinary characters.
        spaced: whether spaces behind a separator belong to it.
        encoding: the name of Python's codec.
    """

    separator: str
    escaped: bool = False
    quoted: bool = True
    spaced: bool = False
    encoding: str = UTF8

    def __str__(self) -> str:
        quotes = "" if self.quoted else ", quotes are text"
        escapes = ", quotes escaped by a backslash" if self.escaped else ""
        spaces = " and spaces" if self.spaced else ""
        encoded = f", {SPOKEN[self.encoding]}" if self.encoding in SPOKEN else ""
        return f"cells separated by {SEPARATORS[self.separator]}{spaces}{escapes}{quotes}{encoded}"


def rows(path: Path, dialect: Dialect) -> Iterator[tuple[int, list[str]]]:
    """Yield the line that each row begins at (counted from 1) and its cells.

    Empty lines are passed over, and a first line that declares the separator (`sep=;`).

    Raises:
        DataError: naming the line, where the quotes do not close or the text is not in the encoding.
    """
    encoding = dialect.encoding
    with decoded(path, encoding), path.open(encoding=encoding, newline="") as file:
        first = next(file, "")
        passed = 1 if _DECLARED.fullmatch(first) else 0
        content = file if passed else chain([first] if first else [], file)
        # csv's own escape characters are not strict: text behind a closing quote would pass.
        lines = (_ESCAPED.sub(_doubled, line) for line in content) if dialect.escaped else content
        quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if dialect.quoted else csv.QUOTE_NONE
        reader = csv.reader(
            lines, delimiter=dialect.separator, quoting=quoting, skipinitialspace=dialect.spaced, strict=True
        )
        while True:
            line = reader.line_num + 1 + passed
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                raise DataError(
                    f"{path}:{line}: {_quoting_fault(error)}. Put cells with quotes in quotes, and double those inside."
                ) from None
            if cells:
                yield line, cells


def _doubled(escaped: re.Match[str]) -> str:
    return '""' if escaped[1] == '"' else escaped[1]


def _quoting_fault(error: csv.Error) -> str:
    text = str(error)
    if "unexpected end of data" in text:
        return "a quoted cell that begins here is never closed"
    if "expected after" in text:
        return "the row has text behind a closing quote"
    return text


def recognise(path: Path) -> Dialect:
    """Return the dialect of a file, after reading all of it.

    Raises:
        DataError: naming the first line that no dialect explains; or two separators explain every row.
    """
    encoding = encoding_of(path)
    plain = _certain(path, encoding)
    spaced = attrs.evolve(plain, spaced=True)
    if _is_spaced(path, plain) and fault(path, spaced) is None:
        return spaced
    first, spread = _survey(path, plain)
    if first is None:
        if spread is not None and _is_row_without_quotes(path, plain, spread):
            raise DataError(
                f"{path}:{spread}: a quoted cell that begins here goes on over several lines, each of which would be a "
                "row by itself. Double a quote that is text; put all cells in quotes where this one has several lines."
            )
        return plain
    for other in (attrs.evolve(plain, escaped=True), attrs.evolve(plain, quoted=False)):
        if fault(path, other) is None and (other.quoted or not _has_quoted_cells(path, other)):
            return other
    raise first


def _is_row_without_quotes(path: Path, plain: Dialect, opening: int) -> bool:
    """Return whether the line that opens a cell of several lines is a row like others where quotes are text.

    So it is where every line is a row then, and this one ends with a cell that ends another row: two stray quotes would
    have swallowed what is between them.
    """
    unquoted = attrs.evolve(plain, quoted=False)
    if fault(path, unquoted) is not None or _has_quoted_cells(path, unquoted):
        return False
    ends = {cells[-1] for line, cells in rows(path, plain) if line != opening}
    return any(line == opening and cells[-1] in ends for line, cells in rows(path, unquoted))


def _is_spaced(path: Path, plain: Dialect) -> bool:
    """Return whether a space stands behind every separator of the rows that can be read, also before quotes."""
    seen = False
    try:
        for _, cells in rows(path, plain):
            if not all(cell.startswith(" ") for cell in cells[1:] if cell):
                return False
            seen = seen or len(cells) > 1
    except DataError:
        pass  # a row that only spaces before quotes explain; `fault` decides
    return seen


def sampled(path: Path) -> Dialect:
    """Return the dialect that the first 200 rows show, as RFC 4180 quotes.

    Raises:
        DataError: the beginning of the file is in no encoding that is read.
    """
    encoding = encoding_of(path, HEAD)
    return Dialect(_separators(path, encoding)[0], encoding=encoding)


def _certain(path: Path, encoding: str) -> Dialect:
    """Return the dialect of a file as `sampled`, where no other separator explains every row as well.

    Raises:
        DataError: one does.
    """
    found = [Dialect(separator, encoding=encoding) for separator in _separators(path, encoding)]
    whole = [dialect for dialect in found if fault(path, dialect) is None] if len(found) > 1 else found
    if len(whole) > 1:
        told = " or ".join(
            f"{SEPARATORS[one.separator]} ({first_of(map(repr, next(rows(path, one))[1]))})" for one in whole
        )
        raise DataError(
            f"{path}:1: the cells can be separated by {told}, in every row alike. Write one of these above the "
            f"header: {' or '.join(f'sep={one.separator}' for one in whole)}"
        )
    return (whole or found)[0]


def _declared(path: Path, encoding: str) -> str | None:
    with decoded(path, encoding), path.open(encoding=encoding, newline="") as file:
        found = _DECLARED.fullmatch(file.readline(len("sep=;\r\n")))
    return found[1] if found else None


def _separators(path: Path, encoding: str) -> list[str]:
    """Return the separators that split the header and the next rows alike; else the one that splits the header most.

    A line that declares one decides, and tabs in a .tsv file.
    """
    if (declared := _declared(path, encoding)) is not None:
        return [declared]
    preferred = "\t" if path.suffix.casefold() == ".tsv" else ","
    header, alike = dict[str, int](), list[str]()
    for separator in (preferred, *(separator for separator in SEPARATORS if separator != preferred)):
        widths = _sample_widths(path, Dialect(separator, encoding=encoding))
        header[separator] = widths[0] if widths else 1
        if len(set(widths)) == 1 and widths[0] > 1:
            alike.append(separator)
    if preferred == "\t" and preferred in alike:
        return [preferred]
    return alike or [max(header, key=lambda separator: header[separator])]


def _sample_widths(path: Path, dialect: Dialect) -> list[int]:
    widths: list[int] = []
    try:
        for _, cells in rows(path, dialect):
            widths.append(len(cells))
            if len(widths) == _SAMPLE_ROWS:
                break
    except DataError:
        pass  # the rows before the fault are what there is to judge by; `fault` reports it
    return widths


def fault(path: Path, dialect: Dialect) -> DataError | None:
    """Return what keeps a file from being read in a dialect, or None."""
    return _survey(path, dialect)[0]


def _survey(path: Path, dialect: Dialect) -> tuple[DataError | None, int | None]:
    """Return the fault of a file, and where the first of several cells of a row goes over several lines."""
    width, spread = 0, None
    before: tuple[int, list[str]] = (0, [])
    try:
        for line, cells in chain(rows(path, dialect), [(sys.maxsize, [])]):
            if spread is None and line > before[0] + 1 and width > 1 and any("\n" in cell for cell in before[1]):
                spread = before[0]
            width = width or len(cells)
            if cells and len(cells) != width:
                return _wrong_width(path, line, cells, width), spread
            before = (line, cells)
    except DataError as error:
        return error, spread
    return None, spread


def _wrong_width(path: Path, line: int, cells: list[str], width: int) -> DataError:
    shown = cells[-1] if len(cells) > width else cells[0]
    shown = shown if len(shown) <= _CELL_SHOWN else f"{shown[:_CELL_SHOWN]}..."
    count = f"{len(cells)} cell" + ("s" if len(cells) != 1 else "")
    hint = "Put cells that contain the separator in quotes." if len(cells) > width else "Add the missing cells."
    return DataError(f"{path}:{line}: the row has {count}, the header {width} (around {shown!r}). {hint}")


def _has_quoted_cells(path: Path, dialect: Dialect) -> bool:
    return any(len(cell) > 1 and cell[0] == cell[-1] == '"' for _, cells in rows(path, dialect) for cell in cells)
