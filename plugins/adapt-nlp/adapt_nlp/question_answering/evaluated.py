"""What an evaluation finds of each question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy

from adapt_core.evaluated_rows import EvaluatedRows, sums

from adapt_nlp.question_answering.metrics import question_scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adapt_nlp.question_answering.predict import Answer


def answered_rows(found: Sequence[Answer], gold: Sequence[Sequence[str]], *, first: int, v2: bool) -> EvaluatedRows:
    """Return what was found of questions. Right is an exact match with any gold answer; logits give no confidence.

    Args:
        found: an answer for each.
        gold: the gold answers of each; none where it is unanswerable.
        first: the position of the first question in the rows of the split.
        v2: measure answerable and unanswerable questions separately, too; see `squad_scores`.
    """
    em, f1 = (100 * numpy.array(each) for each in question_scores([one["answer"] for one in found], gold))
    answerable = numpy.array([bool(texts) for texts in gold], dtype=float)
    every = numpy.ones(len(found))
    ratios = {"f1": (f1, every), "exact_match": (em, every)}
    if v2:
        ratios["answerable_f1"] = f1 * answerable, answerable
        ratios["answerable_exact_match"] = em * answerable, answerable
        ratios["unanswerable_accuracy"] = em * (1 - answerable), 1 - answerable
    table = numpy.column_stack([column for pair in ratios.values() for column in pair])

    def measure(sample: NDArray[numpy.intp]) -> Mapping[str, float]:
        over, under = sums(table, sample).reshape(-1, 2).T
        return dict(zip(ratios, (over / numpy.maximum(under, 1)).tolist(), strict=True))

    return EvaluatedRows(
        kind="answer",
        rows=range(first, first + len(found)),
        expected=[list(texts) for texts in gold],
        predicted=[one["answer"] for one in found],
        right=(em == 100).tolist(),
        ratios=ratios,
        cost=table.shape[1] / 4,
        measure=measure,
    )
