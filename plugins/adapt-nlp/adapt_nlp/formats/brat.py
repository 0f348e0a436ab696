"""brat's standoff files: entities in `doc.ann` of the text in `doc.txt`, for tags of words. Each line is a row.

An entity of several parts (`T1\tPER 0 4;10 14\t...`) gives an entity for each part. Relations, events, attributes,
normalizations and notes are passed over and counted.
"""

from __future__ import annotations

import logging
import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from adapt_core.contracts.format import Place, Row
from adapt_core.errors import DataError, first_of
from adapt_core.hf.data.tables.encodings import decoded

from adapt_nlp.formats.spans import Span, SpanError, tags_of, words_of

log = logging.getLogger(__name__)

ANNOTATIONS, TEXT = ".ann", ".txt"
_BEGINNING = 4_000
_LINE = re.compile(r"[TREAMN#*]\S*\t\S")
_ENTITY = re.compile(r"T\S*\t(\S+) (\d+ \d+(?:;\d+ \d+)*)(?:\t(.*))?")


class Brat:
    """The format.

    Attributes:
        signs_are_words: see `SpanFormat`.
    """

    signs_are_words = True

    def __init__(self) -> None:
        self._told: set[tuple[Path, ...]] = set()

    def recognise(self, place: Place) -> str | None:
        """Return the first .ann file with an annotation, where each has a text beside it."""
        files = _annotations(place.files)
        if not files or not all(path.with_suffix(TEXT).is_file() for path in files):
            return None
        for path in files:  # those of documents without entities are empty
            with path.open("rb") as file:
                line = file.read(_BEGINNING).decode("utf-8-sig", errors="ignore").partition("\n")[0]
            if line.strip():
                return f"{path.name}: brat's annotations of {path.stem}{TEXT}" if _LINE.match(line) else None
        return None

    def read(self, place: Place) -> Iterator[Row]:
        """Yield the lines of the texts as `tokens` and `ner_tags`."""
        files = _annotations(place.files)
        if not files:
            raise DataError(f"{place.files[0]}: there is no {ANNOTATIONS} file. Give the files of brat's collection.")
        passed = parts = 0
        for path in files:
            document = _Document(path)
            yield from document.rows()
            passed, parts = passed + document.passed, parts + document.parts
        if (passed or parts) and files not in self._told:
            self._told.add(files)  # a run reads its rows more than once
            log.info(
                "%s: %d lines of relations, events, attributes and notes are passed over; %d entities of several parts "
                "are an entity for each",
                first_of(path.name for path in files),
                passed,
                parts,
            )


def _annotations(files: Sequence[Path]) -> tuple[Path, ...]:
    """Return the .ann files; those beside texts where only texts are given."""
    own = tuple(path for path in files if path.suffix.casefold() == ANNOTATIONS)
    return own or tuple(one for path in files if (one := path.with_suffix(ANNOTATIONS)).is_file())


class _Document:
    """A text with its annotations.

    Attributes:
        passed: lines that are no entities.
        parts: entities of several parts.
    """

    def __init__(self, path: Path) -> None:
        self.passed = self.parts = 0
        self._path, self._file = path, path.with_suffix(TEXT)
        if not self._file.is_file():
            raise DataError(f"{path}: there is no {self._file.name} beside it. Add the text.")
        with decoded(self._file):
            self._text = self._file.read_bytes().decode("utf-8")  # brat counts returns and the byte order mark
        self._lines = [found.span() for found in re.finditer(r"[^\n]*\n?", self._text) if found[0]]
        self._ends = [behind for _, behind in self._lines]
        self._spans: dict[int, list[Span]] = defaultdict(list)
        self._faults: dict[int, str] = {}
        with decoded(path):
            written = path.read_bytes().decode("utf-8-sig")
        for number, line in enumerate(written.split("\n"), start=1):
            if line.strip():
                self._add(line.rstrip("\r"), f"{path.name}:{number}", f"{path}:{number}")

    def _add(self, line: str, named: str, where: str) -> None:
        if not line.startswith("T"):
            if not _LINE.match(line):
                raise DataError(f"{where}: {line[:60]!r} is no annotation of brat. Correct the line.")
            self.passed += 1
            return
        found = _ENTITY.fullmatch(line)
        if found is None:
            raise DataError(
                f"{where}: {line[:60]!r} is no entity: it needs its name, a tab, its type and places (PER 0 4), a tab, "
                "and its text. Correct the line."
            )
        label, places, text = found[1], [tuple(map(int, part.split())) for part in found[2].split(";")], found[3]
        self.parts += len(places) > 1
        if max(end for _, end in places) > len(self._text):
            raise DataError(
                f"{where}: the entity is at {found[2]}, and {self._file.name} has {len(self._text)} characters. Keep "
                "the text as it was annotated."
            )
        if not self._lines:
            raise DataError(f"{where}: {self._file.name} is empty, and has an entity. Add the text.")
        there = " ".join(self._text[start:end] for start, end in places)
        first = self._line_of(places[0][0])
        if text is not None and text.split() != there.split():
            self._faults[first] = (
                f"{named} says {text[:40]!r}, and the text has {there[:40]!r} there. Keep the text as it was "
                "annotated, with its line ends"
            )
        for start, end in places:
            at = self._line_of(start)
            begin, behind = self._lines[at]
            if end > behind:
                self._faults[at] = f"{named}: the entity goes over several lines, and each line is a row. Split it"
            self._spans[at].append(Span(start - begin, min(end, behind) - begin, label))

    def _line_of(self, place: int) -> int:
        """Return the line, from 0, that has a character."""
        return min(bisect_right(self._ends, place), len(self._lines) - 1)

    def rows(self) -> Iterator[Row]:
        """Yield the lines that have words."""
        for at, (begin, behind) in enumerate(self._lines):
            text = self._text[begin:behind]
            words = words_of(text)
            if not words and at not in self._faults:
                continue
            fault, tags = self._faults.get(at), list[str]()
            try:
                tags = tags_of(text, self._spans[at], words)
            except SpanError as error:
                fault = fault or str(error)
            values = {} if fault else {"tokens": [text[start:end] for start, end in words], "ner_tags": tags}
            yield Row(values, self._file, at + 1, fault)
