"""Cells of a spreadsheet that have no value, which its reader gives as empty: errors, and formulas never computed.

The XML inside of .xlsx and .ods files is read in a stream. A document that declares an entity is refused.
"""

from __future__ import annotations

import posixpath
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO

from adapt_core.errors import DataError
from adapt_core.hf.data.xml_files import FAILURES, parser_without_entities

_ERRORS = "urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0}value-type"
"""The attribute by which LibreOffice tells errors; office:value-type says that they are texts."""
_CHUNK = 1_000_000
_NEVER = "a formula that was never computed"
_PLAIN = ("str", "s", "inlineStr")


def first_fault(path: Path, sheet: str) -> tuple[int, int, str] | None:
    """Return row and column, from 1, of the first cell of a sheet without a value, and what it has instead.

    Raises:
        DataError: the file cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as file:
            if "content.xml" in file.namelist():
                with file.open("content.xml") as content:
                    return _parse(content, _Ods(sheet))
            with file.open(_part_of(file, sheet)) as content:
                return _parse(content, _Xlsx())
    except (zipfile.BadZipFile, OSError, *FAILURES) as error:
        raise DataError(f"{path} cannot be read: {error}. Save the file again.") from None


class _Xlsx:
    """Reads the cells of a sheet's part: `<c r="B5" t="e"><f>1/0</f><v>#DIV/0!</v></c>`."""

    def __init__(self) -> None:
        self.found: tuple[int, int, str] | None = None
        self._row = self._column = 0
        self._kind = self._text = self._inside = ""
        self._formula = False

    def start(self, name: str, given: Mapping[str, str]) -> None:
        if name == "row":
            self._row = int(given.get("r", self._row + 1))
            self._column = 0
        elif name == "c":
            letters = given.get("r", "").rstrip("0123456789")
            self._column = _number_of(letters) if letters else self._column + 1
            self._kind, self._text, self._formula = given.get("t", "n"), "", False
        elif name == "f":
            self._formula = True
        self._inside = name

    def end(self, name: str) -> None:
        self._inside = ""
        if name != "c" or self.found is not None:
            return
        if self._kind == "e":
            self.found = (self._row, self._column, self._text.strip() or "an error")
        elif self._formula and not self._text.strip() and self._kind not in _PLAIN:
            self.found = (self._row, self._column, _NEVER)

    def text(self, data: str) -> None:
        if self._inside == "v":
            self._text += data


class _Ods:
    """Reads the cells of a table: `<table:table-cell calcext:value-type="error"><text:p>#DIV/0!</text:p>`."""

    def __init__(self, sheet: str) -> None:
        self.found: tuple[int, int, str] | None = None
        self._sheet, self._here, self._text = sheet, False, ""
        self._row = self._column = self._rows = self._columns = 0
        self._wrong = False

    def start(self, name: str, given: Mapping[str, str]) -> None:
        if name == "table":
            self._here, self._row = given.get("name") == self._sheet, 0
        elif name == "table-row":
            self._column, self._rows = 0, int(given.get("number-rows-repeated", "1"))
        elif name in ("table-cell", "covered-table-cell"):
            self._columns = int(given.get("number-columns-repeated", "1"))
            self._wrong, self._text = given.get(_ERRORS) == "error", ""

    def end(self, name: str) -> None:
        if name == "table-row":
            self._row += self._rows
        elif name in ("table-cell", "covered-table-cell"):
            if self._here and self._wrong and self.found is None:
                self.found = (self._row + 1, self._column + 1, self._text.strip() or "an error")
            self._column += self._columns
            self._wrong = False

    def text(self, data: str) -> None:
        if self._wrong:
            self._text += data


def _parse(content: IO[bytes], cells: _Xlsx | _Ods) -> tuple[int, int, str] | None:
    parser = parser_without_entities()
    parser.StartElementHandler = _started(cells.start)
    parser.EndElementHandler = lambda name: cells.end(_local(name))
    parser.CharacterDataHandler = cells.text
    while cells.found is None and (chunk := content.read(_CHUNK)):
        parser.Parse(chunk)
    return cells.found


def _started(start: Callable[[str, Mapping[str, str]], None]) -> Callable[[str, Mapping[str, str]], None]:
    def local(name: str, given: Mapping[str, str]) -> None:
        start(_local(name), {key if key == _ERRORS else _local(key): value for key, value in given.items()})

    return local


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _number_of(letters: str) -> int:
    """Return the number of a column, from 1: that of AB is 28."""
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - ord("A") + 1
    return number


def _part_of(file: zipfile.ZipFile, sheet: str) -> str:
    """Return the part of an .xlsx file that has a sheet.

    Raises:
        KeyError: there is none.
    """
    keys = {one["name"]: one["id"] for one in _elements(file, "xl/workbook.xml", "sheet")}
    parts = {one["Id"]: one["Target"] for one in _elements(file, "xl/_rels/workbook.xml.rels", "Relationship")}
    target = parts[keys[sheet]]
    return posixpath.normpath(target.lstrip("/") if target.startswith("/") else posixpath.join("xl", target))


def _elements(file: zipfile.ZipFile, part: str, name: str) -> list[dict[str, str]]:
    """Return the attributes of the elements of a name in a small part."""
    found: list[dict[str, str]] = []
    parser = parser_without_entities()

    def start(element: str, given: Mapping[str, str]) -> None:
        if _local(element) == name:
            found.append({_local(key): value for key, value in given.items()})

    parser.StartElementHandler = start
    parser.Parse(file.read(part), True)
    return found
