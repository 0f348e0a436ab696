"""Label Studio's exports of labelled text, JSON and JSON-MIN, for tags of words.

JSON has tasks: {"data": {"text": ...}, "annotations": [{"result": [{"value": {"start", "end", "labels"}}]}]}. Of
several annotations of a task the first is taken that was not cancelled; a task without one is passed over. JSON-MIN
has {"text": ..., "label": [{"start", "end", "labels"}]}, whatever the names of the two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from adapt_nlp.formats.span_rows import RowError, SpanFormat, SpanText, list_at, span_of
from adapt_nlp.formats.spans import Span

_BOOKKEEPING = ("id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time", "agreement")


class LabelStudioText(SpanFormat):
    """The format."""

    shows = "tasks of Label Studio with labelled spans of a text"

    def claims(self, rows: Sequence[Any]) -> bool:
        """Return whether a row has a span of a text with its labels."""
        if not all(isinstance(row, dict) for row in rows):
            return False
        return any(_is_region(region) for row in rows for region in (*_of_task(row), *_of_min(row)))

    def text_of(self, row: Any) -> SpanText | str:
        """Return the text of a task, or that it has no annotation."""
        if not isinstance(row, dict):
            raise RowError("it is no task of Label Studio. Export the project as JSON or JSON-MIN")
        if "annotations" in row:
            if not any(map(_counts, list_at(row, "annotations"))):
                return "tasks without an annotation"
            return SpanText(_text_of_task(row), [_span(value) for value in _of_task(row)])
        spans = [_span(value) for value in _of_min(row)]
        texts = [value for key, value in row.items() if isinstance(value, str) and key not in _BOOKKEEPING]
        if isinstance(row.get("text"), str):
            texts = [row["text"]]
        if len(texts) != 1:
            raise RowError("a task needs one text. Export the project as JSON instead of JSON-MIN")
        return SpanText(texts[0], spans)


def _counts(annotation: object) -> bool:
    return isinstance(annotation, dict) and not annotation.get("was_cancelled")


def _of_task(row: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the regions with labels of the annotation that counts."""
    annotations = row.get("annotations")
    first: Mapping[str, Any] = next(filter(_counts, annotations if isinstance(annotations, list) else []), {})
    results = first.get("result")
    values = [one.get("value") for one in (results if isinstance(results, list) else []) if isinstance(one, dict)]
    return [value for value in values if isinstance(value, dict) and "labels" in value]


def _of_min(row: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    lists = [value for value in row.values() if isinstance(value, list)]
    return [entry for value in lists for entry in value if isinstance(entry, dict) and "labels" in entry]


def _is_region(value: Mapping[str, Any]) -> bool:
    return all(isinstance(value.get(key), int) for key in ("start", "end")) and isinstance(value["labels"], list)


def _span(value: Mapping[str, Any]) -> Span:
    labels = value["labels"]
    if not isinstance(labels, list) or len(labels) != 1:
        raise RowError(f"the entity {str(value)[:80]} needs one label, and has {labels!r}. Keep one")
    return span_of(value, value.get("start"), value.get("end"), labels[0])


def _text_of_task(row: Mapping[str, Any]) -> str:
    data = row.get("data")
    texts = [value for value in (data.values() if isinstance(data, dict) else []) if isinstance(value, str)]
    if isinstance(data, dict) and isinstance(data.get("text"), str):
        return str(data["text"])
    if len(texts) != 1:
        raise RowError("'data' of a task must have its 'text'. Correct the row")
    return texts[0]
