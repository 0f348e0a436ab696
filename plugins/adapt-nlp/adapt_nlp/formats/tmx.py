"""TMX, the exchange format of translation memories (1.1 to 1.4b): each unit is a pair, or more texts.

Languages have the codes of the file (`en-US`); of two texts in a language the first is taken. Of inline tags the text
of highlights (`hi`, `mrk`) is kept, and codes of other formats (`bpt`, `ept`, `it`, `ph`, `ut`) are dropped and
counted.
The file is read in a stream; no entity is expanded and no document type fetched.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from adapt_core.contracts.format import PREDICT, Place, Row
from adapt_core.errors import DataError
from adapt_core.hf.data.xml_files import naming_place, parser_without_entities

log = logging.getLogger(__name__)

_BEGINNING = 64_000
_CHUNK = 256_000
_CODES = ("bpt", "ept", "it", "ph", "ut")
_BROKEN = re.compile(r"\s*\n\s*")
_VALUE = r"\b%s\s*=\s*[\"']([^\"']*)"
_TMX = re.compile(r"<tmx[\s>]")


class Tmx:
    """The format."""

    def __init__(self) -> None:
        self._told: set[Path] = set()

    def recognise(self, place: Place) -> str | None:
        """Return version and source language of the first file."""
        path = place.files[0]
        with path.open("rb") as file:
            head = file.read(_BEGINNING)
        text = head.decode("utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig", errors="ignore")
        if _TMX.search(text) is None:
            return None
        version, source = re.search(_VALUE % "tmx[^>]*version", text), re.search(_VALUE % "srclang", text)
        told = f" {version[1]}" if version else ""
        return f"{path.name}: TMX{told}{f', source language {source[1]}' if source else ''}"

    def read(self, place: Place) -> Iterator[Row]:
        """Yield the units as `translation`: language -> text."""
        for path in place.files:
            units = _Units(path, least=1 if place.split == PREDICT else 2)
            yield from units.rows()
            if not units.count:
                raise DataError(f"{path} has no translation unit (<tu>). Add some, or remove the file.")
            if units.dropped and path not in self._told:
                self._told.add(path)  # a run reads its rows more than once
                log.info("%s: %d inline tags with codes are dropped", path.name, units.dropped)


class _Units:
    """Reads the units of a file, each with a least number of languages: a model is asked about one.

    Attributes:
        count: units that were read.
        dropped: inline tags of which nothing was kept.
    """

    def __init__(self, path: Path, least: int) -> None:
        self._least = least
        self.count = self.dropped = 0
        self._path = path
        self._ready: list[Row] = []
        self._texts: dict[str, str] = {}
        self._codes: dict[str, str] = {}
        self._line, self._language, self._fault = 0, "", ""
        self._text: list[str] | None = None
        self._hidden = 0
        self._parser = parser_without_entities()
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters

    def rows(self) -> Iterator[Row]:
        """Yield a row for each unit.

        Raises:
            DataError: the file is no XML, or has an entity of its own.
        """
        with self._path.open("rb") as file:
            while True:
                chunk = file.read(_CHUNK)
                with naming_place(self._path, self._parser):
                    self._parser.Parse(chunk, not chunk)
                yield from self._ready
                self._ready.clear()
                if not chunk:
                    return

    def _start(self, name: str, given: Mapping[str, str]) -> None:
        name = name.rpartition("}")[2]
        if name == "tu":
            self._line, self._texts, self._fault = self._parser.CurrentLineNumber, {}, ""
        elif name == "tuv":
            code = next((value for key, value in given.items() if key.rpartition("}")[2] == "lang"), "").strip()
            self._language = self._codes.setdefault(code.casefold(), code)
            if not code:
                self._fault = "a text (<tuv>) has no language (xml:lang). Add it"
        elif name == "seg":
            self._text, self._hidden = [], 0
        elif self._text is not None and (name in _CODES or self._hidden):
            self._hidden += 1
            self.dropped += name in _CODES

    def _end(self, name: str) -> None:
        name = name.rpartition("}")[2]
        if name == "seg" and self._text is not None:
            text = _BROKEN.sub(" ", "".join(self._text)).strip()
            if not text and self._least > 1:
                self._fault = self._fault or f"the text in {self._language!r} is empty. Add it, or remove the unit"
            if text or self._least > 1:
                self._texts.setdefault(self._language, text)
            self._text = None
        elif name == "tu":
            self.count += 1
            if len(self._texts) < self._least and not self._fault:
                needs = "two languages" if self._least > 1 else "one"
                self._fault = f"the unit has {_only(self._texts)}, and needs {needs}. Add one, or remove it"
            values = {} if self._fault else {"translation": self._texts}
            self._ready.append(Row(values, self._path, self._line, self._fault or None))
        elif self._hidden:
            self._hidden -= 1

    def _characters(self, data: str) -> None:
        if self._text is not None and not self._hidden:
            self._text.append(data)


def _only(texts: Mapping[str, str]) -> str:
    """Return the only language of a unit, for the message."""
    return f"{next(iter(texts))!r} alone" if texts else "no text"
