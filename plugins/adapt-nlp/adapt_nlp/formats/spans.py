"""Spans of characters as tags of words, in IOB2.

A word is a run of letters, digits and marks, or a sign by itself; each letter of a script that puts no spaces between
words (Chinese, Japanese, Thai, ...) is a word, as in BERT's basic tokenizer.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from functools import lru_cache

import attrs

_SHOWN = 30
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
"""Thai, Lao, Myanmar, Khmer, kana and Han: the ranges of their blocks."""
_BETWEEN = ("Zs", "Zl", "Zp", "Cc")
"""General categories of Unicode that stand between words."""


@attrs.frozen
class Span:
    """A labelled part of a text.

    Attributes:
        start: of its characters, from 0.
        end: behind its last one.
        label: of the entity.
    """

    start: int
    end: int
    label: str

    def __str__(self) -> str:
        return f"[{self.start}, {self.end}, {self.label!r}]"


class SpanError(ValueError):
    """The spans of a text cannot be tags of its words; the message says why."""


def words_of(text: str) -> list[tuple[int, int]]:
    """Return start and end of each word of a text."""
    words: list[tuple[int, int]] = []
    before = ""
    for place, letter in enumerate(text):
        kind = _kind(letter)
        if before and (kind == "mark" or kind == "letter" == before):
            words[-1] = (words[-1][0], place + 1)
            continue
        before = "letter" if kind == "mark" else kind
        if kind:
            words.append((place, place + 1))
    return words


def word_texts(text: str) -> list[str]:
    """Return the words of a text."""
    return [text[start:end] for start, end in words_of(text)]


@lru_cache(maxsize=4096)
def _kind(letter: str) -> str:
    """Return "letter", "mark", "sign" (a word by itself) or "" (between words)."""
    category = unicodedata.category(letter)
    if letter.isspace() or category in _BETWEEN or letter == "\ufeff":
        return ""
    if category[0] == "M" or category == "Cf":
        return "mark"
    alone = _UNSPACED.match(letter) or not (category[0] in "LN" or letter == "_")
    return "sign" if alone else "letter"


def tags_of(text: str, spans: Iterable[Span], words: Sequence[tuple[int, int]]) -> list[str]:
    """Return the tag of each word in IOB2. White space at the ends of a span is no part of it.

    Args:
        text: the text.
        spans: in any order; two that are equal, but for white space, are one.
        words: of the text, start and end of each, in their order.

    Raises:
        SpanError: a span is outside of the text, empty or white space; it cuts a word; or two overlap.
    """
    tags = ["O"] * len(words)
    starts, ends = [start for start, _ in words], [end for _, end in words]
    before: Span | None = None
    written: dict[Span, Span] = {}
    for span in spans:
        written.setdefault(_within(text, span), span)
    for kept, span in sorted(written.items(), key=lambda pair: (pair[0].start, pair[0].end, pair[0].label)):
        if before is not None and kept.start < before.end:
            raise SpanError(
                f"the entities {before} and {span} overlap, and a word has one tag. Keep one of the two, or write the "
                "inner ones into a data set of their own"
            )
        first, behind = bisect_right(ends, kept.start), bisect_left(starts, kept.end)
        for border, number in ((kept.start, first), (kept.end, behind - 1)):
            if 0 <= number < len(words) and starts[number] < border < ends[number]:
                word, side = text[slice(*words[number])], "begins" if border == kept.start else "ends"
                raise SpanError(
                    f"the entity {span} {side} inside of the word {_shown(word)}, which is at {starts[number]} to "
                    f"{ends[number]}. Move it to the word's border, or put a space into the text"
                )
        if first >= behind:
            raise SpanError(f"the entity {span} has no word. Correct it")
        tags[first:behind] = [f"B-{span.label}", *[f"I-{span.label}"] * (behind - first - 1)]
        before = attrs.evolve(span, start=kept.start, end=kept.end)
    return tags


def _within(text: str, span: Span) -> Span:
    """Return a span without the white space at its ends."""
    if not 0 <= span.start <= span.end or span.end > len(text):
        raise SpanError(
            f"the entity {span} is not within the text, which has {len(text)} characters. Offsets count characters "
            "(Unicode code points) from 0, and the second is behind the last one"
        )
    part = text[span.start : span.end]
    if not part.strip():
        what = "is empty" if not part else "is white space alone"
        raise SpanError(f"the entity {span} {what}. Leave it out")
    start = span.start + len(part) - len(part.lstrip())
    return attrs.evolve(span, start=start, end=start + len(part.strip()))


def _shown(word: str) -> str:
    return repr(word if len(word) <= _SHOWN else f"{word[:_SHOWN]}...")
