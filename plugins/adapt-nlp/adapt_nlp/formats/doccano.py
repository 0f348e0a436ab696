"""doccano's exports of sequence labelling: rows {"text", "label": [[start, end, label]]}, or with `entities`.

Its JSONL has the spans as `label` or `labels` (earlier versions: the text as `data`); with relations it has `entities`
of {"start_offset", "end_offset", "label"}.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from adapt_nlp.formats.span_rows import (
    RowError,
    SpanFormat,
    SpanText,
    is_span,
    list_at,
    spans_of,
    spans_of_objects,
    text_at,
)

_LISTS = ("label", "labels")


class Doccano(SpanFormat):
    """The format."""

    shows = "each row has a text and its labelled spans, as doccano exports them"

    def claims(self, rows: Sequence[Any]) -> bool:
        """Return whether all rows have a text, and one has a span. Classes of texts are texts in the same lists."""
        if not all(isinstance(row, dict) and isinstance(row.get("text", row.get("data")), str) for row in rows):
            return False
        return any(map(_has_span, rows))

    def is_text(self, row: object) -> bool:
        """Return whether a row has a text, and a place for spans or an earlier version's name of the text."""
        if not isinstance(row, dict) or not isinstance(row.get("text", row.get("data")), str):
            return False
        return "data" in row or any(isinstance(row[key], list) for key in _LISTS if key in row)

    def bare_text_of(self, row: object) -> SpanText:
        """Return the text of a row."""
        if not isinstance(row, dict):
            raise RowError('it must be {"text": ...}. Correct the row')
        return SpanText(text_at(row, "text", "data"), ())

    def text_of(self, row: Any) -> SpanText:
        """Return the text of a row."""
        if not isinstance(row, dict):
            raise RowError('it must be {"text": ..., "label": [[start, end, label]]}. Correct the row')
        text = text_at(row, "text", "data")
        if "entities" in row:
            return SpanText(text, spans_of_objects(list_at(row, "entities"), "start_offset", "end_offset", "label"))
        return SpanText(text, spans_of([entry for key in _LISTS for entry in list_at(row, key)]))


def _has_span(row: Mapping[str, Any]) -> bool:
    lists = [row[key] for key in _LISTS if isinstance(row.get(key), list)]
    entities = row.get("entities")
    return any(is_span(entry) for found in lists for entry in found) or any(
        isinstance(entry, dict) and "start_offset" in entry
        for entry in (entities if isinstance(entities, list) else [])
    )
