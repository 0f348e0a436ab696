"""Label Studio's exports of labelled text, JSON and JSON-MIN, for tags of words.

JSON has tasks: {"data": {"text": ...}, "annotations": [{"result": [{"value": {"start", "end", "labels"}}]}]}. JSON-MIN
has {"text": ..., "label": [{"start", "end", "labels"}]}, whatever the names of the two. Of several annotations of a
task that were not cancelled the ground truth is taken, else the newest; a task without one is passed over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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

    def is_text(self, row: object) -> bool:
        """Return whether a row is a task, or one of JSON-MIN."""
        if not isinstance(row, dict):
            return False
        is_min = bool({"annotator", "annotation_id"} & set(row)) or any(map(_is_region, _of_min(row)))
        return isinstance(row.get("data"), dict) or is_min

    def bare_text_of(self, row: object) -> SpanText:
        """Return the text of a task."""
        if not isinstance(row, dict):
            raise RowError("it is no task of Label Studio. Export the project as JSON or JSON-MIN")
        if isinstance(row.get("data"), dict):
            return SpanText(_text_of_task(row), ())
        texts = _texts_of_min(row)
        if len(texts) != 1:
            raise RowError("a task needs one text. Export the project as JSON instead of JSON-MIN")
        return SpanText(texts[0], ())

    def text_of(self, row: Any) -> SpanText | str:
        """Return the text of a task, or that it has no annotation."""
        if not isinstance(row, dict):
            raise RowError("it is no task of Label Studio. Export the project as JSON or JSON-MIN")
        if "annotations" in row:
            if not any(map(_counts, list_at(row, "annotations"))):
                return "tasks without an annotation"
            text = _text_of_task(row)
            return SpanText(text, [_span(value, text) for value in _of_task(row)])
        text = self.bare_text_of(row).text
        return SpanText(text, [_span(value, text) for value in _of_min(row)])

    def superseded(self, rows: Iterable[object]) -> frozenset[int]:
        """Return the rows of JSON-MIN whose task has a newer annotation."""
        newest: dict[tuple[str, ...], tuple[str, int]] = {}
        older = set()
        for number, row in enumerate(rows, start=1):
            if not isinstance(row, dict) or "annotations" in row or "id" not in row:
                continue
            found, task = (_time(row), number), (str(row["id"]), *_texts_of_min(row))
            before = newest.get(task, found)
            newest[task] = max(before, found)
            if before != found:
                older.add(min(before, found)[1])
        return frozenset(older)


def _counts(annotation: object) -> bool:
    return isinstance(annotation, dict) and not annotation.get("was_cancelled")


def _time(annotation: Mapping[str, Any]) -> str:
    """Return when an annotation was last changed, in ISO 8601 as Label Studio writes it; "" where it is not told."""
    return str(annotation.get("updated_at") or annotation.get("created_at") or "")


def _of_task(row: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the regions with labels of the annotation that counts."""
    annotations = row.get("annotations")
    counting = [one for one in (annotations if isinstance(annotations, list) else []) if _counts(one)]
    # Of those changed at one time, and without times, the last one: Label Studio adds to the end.
    chosen = max(reversed(counting), key=lambda one: (bool(one.get("ground_truth")), _time(one)), default=None)
    results = None if chosen is None else chosen.get("result")
    values = [one.get("value") for one in (results if isinstance(results, list) else []) if isinstance(one, dict)]
    return [value for value in values if isinstance(value, dict) and "labels" in value]


def _texts_of_min(row: Mapping[str, Any]) -> list[str]:
    if isinstance(row.get("text"), str):
        return [row["text"]]
    return [value for key, value in row.items() if isinstance(value, str) and key not in _BOOKKEEPING]


def _of_min(row: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    lists = [value for value in row.values() if isinstance(value, list)]
    return [entry for value in lists for entry in value if isinstance(entry, dict) and "labels" in entry]


def _is_region(value: Mapping[str, Any]) -> bool:
    return all(isinstance(value.get(key), int) for key in ("start", "end")) and isinstance(value["labels"], list)


def _span(value: Mapping[str, Any], text: str) -> Span:
    labels = value["labels"]
    if not isinstance(labels, list) or len(labels) != 1:
        raise RowError(f"the entity {str(value)[:80]} needs one label, and has {labels!r}. Keep one")
    span, said = span_of(value, value.get("start"), value.get("end"), labels[0]), value.get("text")
    there = text[max(span.start, 0) : max(span.end, 0)]
    if isinstance(said, str) and span.end <= len(text) and said.split() != there.split():
        raise RowError(
            f"the entity {span} says {said[:40]!r}, and the text has {there[:40]!r} there. Keep the text as it was "
            "annotated; offsets count characters (Unicode code points)"
        )
    return span


def _text_of_task(row: Mapping[str, Any]) -> str:
    data = row.get("data")
    texts = [value for value in (data.values() if isinstance(data, dict) else []) if isinstance(value, str)]
    if isinstance(data, dict) and isinstance(data.get("text"), str):
        return str(data["text"])
    if len(texts) != 1:
        raise RowError("'data' of a task must have its 'text'. Correct the row")
    return texts[0]
