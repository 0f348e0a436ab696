"""SQuAD's own files (v1.1, v2.0): articles with paragraphs, each a context with its questions (`qas`).

Each question is a row. One that is impossible has no answer; its plausible answers are not read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from adapt_core.contracts.format import PREDICT, Place, Row
from adapt_core.errors import DataError
from adapt_core.hf.data.tables.json_rows import head_values, placed_values

_BEGINNING = 64_000
_ARTICLE = re.compile(r'"paragraphs"\s*:\s*\[\s*\{\s*"(context|qas|document_id)"\s*:')
"""The beginning of an article that is longer than what `recognise` reads."""

Read = Callable[[Any, str], dict[str, Any]]


class _FaultError(ValueError):
    """A question is not as SQuAD has it; the message says what is wrong."""


class Squad:
    """The format."""

    def recognise(self, place: Place) -> str | None:
        """Return that the first article has paragraphs."""
        path = place.files[0]
        first = next(iter(head_values(path)), None)
        if first is None:
            with path.open("rb") as file:
                is_article = _ARTICLE.search(file.read(_BEGINNING).decode("utf-8-sig", errors="ignore")) is not None
        else:
            is_article = isinstance(first, dict) and isinstance(first.get("paragraphs"), list)
        return f"{path.name}: articles with paragraphs, as SQuAD has them" if is_article else None

    def read(self, place: Place) -> Iterator[Row]:
        """Yield the questions: `id`, `title`, `question`, `context` and, unless a model is asked, `answers`."""
        read = _question if place.split == PREDICT else _answered
        for path in place.files:
            number = 0
            for number, (line, article) in enumerate(placed_values(path), start=1):
                yield from _article(Row({}, path, line, part=f"article {number}"), article, read)
            if not number:
                raise DataError(f"{path} has no article. Add some, or remove the file.")


def _article(at: Row, article: Any, read: Read) -> Iterator[Row]:
    """Yield the questions of an article.

    Args:
        at: its place.
        article: as the file has it.
        read: (question, context) -> values of the row.
    """
    path, line, where = at.file, at.line, at.part
    paragraphs = article.get("paragraphs") if isinstance(article, dict) else None
    if not isinstance(paragraphs, list):
        yield Row({}, path, line, "it has no list 'paragraphs'. Write it as SQuAD does", where)
        return
    title = article.get("title")
    for number, paragraph in enumerate(paragraphs, start=1):
        place = f"{where}{f' ({title})' if isinstance(title, str) else ''}, paragraph {number}"
        context, asked = (paragraph.get(key) if isinstance(paragraph, dict) else None for key in ("context", "qas"))
        if not isinstance(context, str) or not isinstance(asked, list):
            yield Row({}, path, None, "it needs a text 'context' and a list 'qas'. Write it as SQuAD does", place)
            continue
        for position, question in enumerate(asked, start=1):
            named = question.get("id", position) if isinstance(question, dict) else position
            part = f"{place}, question {named}"
            try:
                row = read(question, context)
            except _FaultError as error:
                yield Row({}, path, None, str(error), part)
            else:
                yield Row({"title": title if isinstance(title, str) else "", **row}, path, None, None, part)


def _question(question: Any, context: str) -> dict[str, Any]:
    if not isinstance(question, dict) or not isinstance(question.get("question"), str):
        raise _FaultError("it has no text 'question'. Write it as SQuAD does")
    return {"id": str(question.get("id", "")), "question": question["question"], "context": context}


def _answered(question: Any, context: str) -> dict[str, Any]:
    row = _question(question, context)
    impossible = question.get("is_impossible", False)
    if not isinstance(impossible, bool):
        raise _FaultError(f"'is_impossible' must be true or false, not {impossible!r}. Correct it")
    answers = question.get("answers", [] if impossible else None)
    if not isinstance(answers, list):
        raise _FaultError("it has no list 'answers'. Add it, or is_impossible: true")
    if impossible and answers:
        raise _FaultError("it is impossible, and has an answer. Leave out one of the two")
    found = [_answer(answer, context) for answer in answers]
    return {**row, "answers": {"text": [text for text, _ in found], "answer_start": [start for _, start in found]}}


def _answer(answer: object, context: str) -> tuple[str, int]:
    """Return text and start of an answer."""
    entry: Mapping[str, Any] = answer if isinstance(answer, dict) else {}
    text, start = entry.get("text"), entry.get("answer_start")
    if not isinstance(text, str) or not text or not isinstance(start, int):
        raise _FaultError("an answer needs a text 'text' and a number 'answer_start'. Correct it")
    if start < 0 or context[start : start + len(text)] != text:
        begins = context.find(text)
        there = f"it begins at {begins}" if begins >= 0 else "the context does not hold it"
        raise _FaultError(f"answer_start {start} does not match its text {text[:40]!r}: {there}. Correct it")
    return text, start
