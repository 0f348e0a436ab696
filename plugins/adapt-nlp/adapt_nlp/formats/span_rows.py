"""What the formats of texts with spans of characters share: their rows as words and tags, and the first of them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from adapt_core.contracts.format import PREDICT, Place, Row
from adapt_core.errors import DataError
from adapt_core.hf.data.tables.json_rows import head_values, placed_values

from adapt_nlp.formats.spans import Span, SpanError, tags_of, words_of

log = logging.getLogger(__name__)

_FIRST = 200
"""Rows at the head of a file that are asked."""
_TAGS = ("ner_tags", "pos_tags", "chunk_tags")
_SUPERSEDED = "further annotations of a task"


class RowError(ValueError):
    """A row is not as the format has it; the message says what is wrong."""


@attrs.frozen
class SpanText:
    """A text with its spans.

    Attributes:
        text: the text.
        spans: of it.
        words: start and end of each word, where the file has them; None where the text tells them.
    """

    text: str
    spans: Sequence[Span]
    words: Sequence[tuple[int, int]] | None = None


class SpanFormat:
    """A format of JSON rows, each a text with spans. A format derives from it."""

    signs_are_words = True
    """Whether words are those of `words_of`, as predictions then split texts."""
    shows = ""
    """By what rows are recognised, for the reason."""

    def __init__(self) -> None:
        self._told: set[tuple[Path, str]] = set()

    def claims(self, rows: Sequence[Any]) -> bool:
        """Return whether the first rows of a file, at least one, are in the format. None of them has words and tags."""
        raise NotImplementedError

    def superseded(self, rows: Iterable[object]) -> frozenset[int]:
        """Return the rows that another one of the same text replaces, by their numbers from 1."""
        return frozenset()

    def is_text(self, row: object) -> bool:
        """Return whether a row of inputs, which needs no spans, is in the format."""
        raise NotImplementedError

    def bare_text_of(self, row: object) -> SpanText:
        """Return the text of a row without its spans.

        Raises:
            RowError: it has none.
        """
        raise NotImplementedError

    def text_of(self, row: Any) -> SpanText | str:
        """Return the text of a row, or for what it is passed over ("rejected").

        Raises:
            RowError: the row is not as the format has it.
        """
        raise NotImplementedError

    def recognise(self, place: Place) -> str | None:
        """Return what the first rows of the first file show; a table of words and tags is none of these formats."""
        rows = head_values(place.files[0])[:_FIRST]
        if not rows or any(map(_has_words, rows)):
            return None
        found = all(map(self.is_text, rows)) if place.split == PREDICT else self.claims(rows)
        return f"{place.files[0].name}: {self.shows}" if found else None

    def read(self, place: Place) -> Iterator[Row]:
        """Yield the texts as `tokens` and `ner_tags`; as `tokens` alone where a model is asked about them."""
        for path in place.files:
            yield from self._inputs(path) if place.split == PREDICT else self._rows(path)

    def _inputs(self, path: Path) -> Iterator[Row]:
        for number, (line, value) in enumerate(placed_values(path), start=1):
            part = f"entry {number}" if line is None else None
            try:
                yield Row({"tokens": words_in(self.bare_text_of(value))[0]}, path, line, part=part)
            except RowError as error:
                yield Row({}, path, line, str(error), part)
        if not _has_values(path):
            raise DataError(f"{path} has no row. Add rows, or remove the file.")

    def _rows(self, path: Path) -> Iterator[Row]:
        passed: dict[str, int] = {}
        superseded = self.superseded(value for _, value in placed_values(path))
        for number, (line, value) in enumerate(placed_values(path), start=1):
            part = f"entry {number}" if line is None else None
            try:
                found = _SUPERSEDED if number in superseded else self.text_of(value)
                if isinstance(found, str):
                    passed[found] = passed.get(found, 0) + 1
                else:
                    yield Row(tagged(found), path, line, part=part)
            except (RowError, SpanError) as error:
                yield Row({}, path, line, str(error), part)
        for why, count in passed.items():
            if (path, why) in self._told:
                continue  # a run reads its rows more than once
            self._told.add((path, why))
            log.info("%s: %d rows are passed over, for they are %s", path.name, count, why)
        if not passed and not _has_values(path):
            raise DataError(f"{path} has no row. Add rows, or remove the file.")


def tagged(found: SpanText) -> dict[str, list[str]]:
    """Return a text as `tokens` and `ner_tags`.

    Raises:
        RowError: it has no word.
        SpanError: its spans cannot be tags.
    """
    tokens, words = words_in(found)
    return {"tokens": tokens, "ner_tags": tags_of(found.text, found.spans, words)}


def words_in(found: SpanText) -> tuple[list[str], Sequence[tuple[int, int]]]:
    """Return the words of a text, and start and end of each.

    Raises:
        RowError: it has none.
    """
    words = words_of(found.text) if found.words is None else found.words
    if not words:
        raise RowError("the text has no word. Leave the row out")
    return [found.text[start:end] for start, end in words], words


def _has_words(row: object) -> bool:
    """Return whether a row has words, or a column of tags: such a table is read as it is."""
    if not isinstance(row, dict):
        return False
    lists = [row.get("tokens"), *map(row.get, _TAGS)]
    return any(isinstance(one, list) and one and all(isinstance(item, str | int) for item in one) for one in lists)


def text_at(row: Mapping[str, Any], *keys: str) -> str:
    """Return the text under the first key that a row has.

    Raises:
        RowError: there is none.
    """
    key = next((key for key in keys if key in row), keys[0])
    if not isinstance(row.get(key), str):
        raise RowError(f"{key!r} must be a text, not {_kind(row.get(key))}. Correct the row")
    return str(row[key])


def list_at(row: Mapping[str, Any], key: str) -> list[Any]:
    """Return the list under a key, an empty one where the row has null or no such key.

    Raises:
        RowError: something else is there.
    """
    value = row.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise RowError(f"{key!r} must be a list of entities, not {_kind(value)}. Correct the row")
    return value


def spans_of(entries: Iterable[object]) -> list[Span]:
    """Return spans of lists [start, end, label].

    Raises:
        RowError: one is not such a list.
    """
    return [
        span_of(entry, entry[0], entry[1], entry[2]) if isinstance(entry, list) and len(entry) == 3 else _refuse(entry)
        for entry in entries
    ]


def spans_of_objects(entries: Iterable[object], start: str, end: str, label: str) -> list[Span]:
    """Return spans of mappings.

    Args:
        entries: the mappings.
        start, end, label: the keys of a span's start, end and label.

    Raises:
        RowError: one is not such a mapping.
    """
    return [
        span_of(entry, *map(entry.get, (start, end, label))) if isinstance(entry, dict) else _refuse(entry)
        for entry in entries
    ]


def span_of(entry: object, start: object, end: object, label: object) -> Span:
    """Return a span.

    Args:
        entry: what the file has, for the message.
        start, end, label: of it.

    Raises:
        RowError: they are no two whole numbers and a text.
    """
    numbers = all(isinstance(number, int) and not isinstance(number, bool) for number in (start, end))
    if not numbers or not isinstance(label, str) or not label.strip():
        return _refuse(entry)
    assert isinstance(start, int)
    assert isinstance(end, int)
    return Span(start, end, label.strip())


def _refuse(entry: object) -> Span:
    raise RowError(f"{str(entry)[:80]} is no entity: it needs a start, an end and a label. Correct it")


def is_span(entry: object) -> bool:
    """Return whether a value is a list [start, end, label]."""
    return isinstance(entry, list) and [type(item) for item in entry] == [int, int, str]


def _kind(value: object) -> str:
    return "null" if value is None else type(value).__name__


def _has_values(path: Path) -> bool:
    return next(placed_values(path), None) is not None
