"""What an evaluation finds of each question."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy

from adapt_core.evaluated_rows import EvaluatedRows, ratio_measure

from adapt_nlp.question_answering.metrics import question_scores

if TYPE_CHECKING:
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
    return EvaluatedRows(
        kind="answer",
        rows=range(first, first + len(found)),
        expected=[list(texts) for texts in gold],
        predicted=[one["answer"] for one in found],
        right=(em == 100).tolist(),
        ratios=ratios,
        cost=len(ratios) / 2,
        measure=ratio_measure(ratios),
    )
