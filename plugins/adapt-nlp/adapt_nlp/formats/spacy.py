"""spaCy's entities: rows {"text", "entities": [[start, end, label]]}, its training tuples, and prodigy's `spans`.

A training tuple is a list [text, {"entities": [...]}]. prodigy's rows have `spans` of {"start", "end", "label"}, and
the words of the text as `tokens`; those whose `answer` is not "accept" are passed over.
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

_OF_OTHERS = ("label", "labels", "data", "annotations", "annotator", "annotation_id")


class Spacy(SpanFormat):
    """The format."""

    shows = "each row has a text and its entities, as spaCy has them"

    def claims(self, rows: Sequence[Any]) -> bool:
        """Return whether the rows have entities as lists, or spans with start, end and label."""
        found = [_row(row) for row in rows]
        if not all(row is not None and isinstance(row.get("text"), str) for row in found):
            return False
        entities = [entry for row in found for entry in _list(row, "entities")]
        spans = [entry for row in found for entry in _list(row, "spans")]
        return any(map(is_span, entities)) or any(
            isinstance(entry, dict) and {"start", "end", "label"} <= set(entry) for entry in spans
        )

    def is_text(self, row: object) -> bool:
        """Return whether a row has a text, and nothing that doccano or Label Studio add."""
        found = _row(row)
        return found is not None and isinstance(found.get("text"), str) and not {*_OF_OTHERS} & set(found)

    def bare_text_of(self, row: object) -> SpanText:
        """Return the text of a row with prodigy's words of it."""
        found = _row(row)
        if found is None:
            raise RowError('it must be {"text": ...}. Correct the row')
        text = text_at(found, "text")
        return SpanText(text, (), None if "entities" in found else _words(found.get("tokens"), text))

    def text_of(self, row: Any) -> SpanText | str:
        """Return the text of a row, or why prodigy's user left it out."""
        found = _row(row)
        if found is None:
            raise RowError('it must be {"text": ..., "entities": [[start, end, label]]}. Correct the row')
        if found.get("answer", "accept") != "accept":
            return f"answered with {found['answer']!r} in prodigy"
        bare = self.bare_text_of(row)
        if "entities" not in found:
            spans = spans_of_objects(list_at(found, "spans"), "start", "end", "label")
            return SpanText(bare.text, spans, bare.words)
        return SpanText(bare.text, spans_of(list_at(found, "entities")))


def _row(row: object) -> Mapping[str, Any] | None:
    """Return a row with its text; a training tuple has that before the mapping."""
    if isinstance(row, list) and len(row) == 2 and isinstance(row[0], str) and isinstance(row[1], dict):
        return {**row[1], "text": row[0]}
    return row if isinstance(row, dict) else None


def _list(row: Mapping[str, Any] | None, key: str) -> list[Any]:
    value = None if row is None else row.get(key)
    return value if isinstance(value, list) else []


def _words(tokens: object, text: str) -> list[tuple[int, int]] | None:
    """Return start and end of prodigy's tokens, those of white space left out; None where there are none.

    Raises:
        RowError: they are not in the order of the text.
    """
    if not isinstance(tokens, list) or not tokens:
        return None
    words, behind = [], 0
    for token in tokens:
        start, end = (token.get(key) for key in ("start", "end")) if isinstance(token, dict) else (None, None)
        if not isinstance(start, int) or not isinstance(end, int) or not behind <= start <= end <= len(text):
            raise RowError(f"the token {str(token)[:80]} is not at its place in the text. Correct or remove 'tokens'")
        if text[start:end].strip():
            words.append((start, end))
        behind = end
    return words
