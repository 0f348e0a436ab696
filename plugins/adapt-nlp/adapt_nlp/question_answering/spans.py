"""The best spans over all windows of a question's context."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import attrs
import numpy


@attrs.frozen
class Span:
    """A candidate answer: characters start to end of the context (exclusive), with its score (a sum of logits)."""

    start: int
    end: int
    score: float


@attrs.frozen
class Found:
    """What the windows of one question say.

    Attributes:
        spans: the best candidates, best first, each place once.
        null_score: the lowest score of "no answer" over the windows.
    """

    spans: tuple[Span, ...]
    null_score: float


def best_spans(
    windows: Iterable[tuple[Any, Any, Sequence[int], Sequence[int], int]], n_best: int, max_answer_length: int
) -> Found:
    """The n best spans over windows.

    Args:
        windows: for each window (start logits, end logits, start characters, end characters, null index): arrays
            over tokens; characters are -1 for tokens outside the context; null index is the token that stands for
            "no answer".
        n_best: how many starts and ends of a window are combined, and how many spans are kept.
        max_answer_length: the longest span in tokens.
    """
    spans: dict[tuple[int, int], float] = {}
    null = float("inf")
    for start_logits, end_logits, starts, ends, null_index in windows:
        length = len(starts)
        begin, stop = numpy.asarray(start_logits[:length]), numpy.asarray(end_logits[:length])
        null = min(null, float(begin[null_index] + stop[null_index]))
        inside = numpy.flatnonzero(numpy.asarray(starts) >= 0)
        top_begin = inside[numpy.argsort(-begin[inside], kind="stable")[:n_best]]
        top_stop = inside[numpy.argsort(-stop[inside], kind="stable")[:n_best]]
        for first in top_begin.tolist():
            for last in top_stop.tolist():
                if first <= last < first + max_answer_length:
                    place = (starts[first], ends[last])
                    score = float(begin[first] + stop[last])
                    spans[place] = max(score, spans.get(place, score))
    ranked = sorted((Span(*place, score) for place, score in spans.items()), key=lambda span: -span.score)
    return Found(tuple(ranked[:n_best]), null)
