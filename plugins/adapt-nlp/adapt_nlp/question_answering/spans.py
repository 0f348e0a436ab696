"""The best spans over all windows of a question's context, and the answer among them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import attrs
import numpy
from numpy.typing import NDArray


class WindowLogits(NamedTuple):
    """The logits of one window with the positions of its tokens.

    Attributes:
        start_logits, end_logits: float arrays (tokens,), padding included.
        starts, ends, null: see `adapt_nlp.question_answering.windows.Windows`.
    """

    start_logits: NDArray[Any]
    end_logits: NDArray[Any]
    starts: Sequence[int]
    ends: Sequence[int]
    null: int


@attrs.frozen
class Span:
    """A candidate answer: characters start to end of the context (exclusive), with its score (a sum of logits)."""

    start: int
    end: int
    score: float


@attrs.frozen
class Candidates:
    """The candidate answers of one question.

    Attributes:
        spans: the best spans, best first, each once.
        null_score: the lowest score of "no answer" over the windows.
    """

    spans: tuple[Span, ...]
    null_score: float

    def answer(self, null_threshold: float | None) -> Span | None:
        """Return the best span, or None for "no answer".

        A question has no answer where the score of "no answer" exceeds the best span's by more than the threshold
        (SQuAD 2.0, Rajpurkar et al., 2018; the rule is that of Devlin et al., 2019).

        Args:
            null_threshold: null_score_diff_threshold; None where every question has an answer.
        """
        best = self.spans[0] if self.spans else None
        if best is None or null_threshold is None:
            return best
        return None if self.null_score - best.score > null_threshold else best


def best_spans(windows: Iterable[WindowLogits], n_best: int, max_answer_length: int) -> Candidates:
    """Return the n best spans over the windows of one question.

    Args:
        windows: of the question.
        n_best: the number of starts and ends of a window that are combined, and of spans that are kept.
        max_answer_length: the longest span in tokens.
    """
    spans: dict[tuple[int, int], float] = {}
    null = float("inf")
    for window in windows:
        length = len(window.starts)
        begin, stop = numpy.asarray(window.start_logits[:length]), numpy.asarray(window.end_logits[:length])
        null = min(null, float(begin[window.null] + stop[window.null]))
        inside = numpy.flatnonzero(numpy.asarray(window.starts) >= 0)
        top_begin = inside[numpy.argsort(-begin[inside], kind="stable")[:n_best]]
        top_stop = inside[numpy.argsort(-stop[inside], kind="stable")[:n_best]]
        for first in top_begin.tolist():
            for last in top_stop.tolist():
                if first <= last < first + max_answer_length:
                    characters = (window.starts[first], window.ends[last])
                    score = float(begin[first] + stop[last])
                    spans[characters] = max(score, spans.get(characters, score))
    ranked = sorted((Span(*characters, score) for characters, score in spans.items()), key=lambda span: -span.score)
    return Candidates(tuple(ranked[:n_best]), null)
