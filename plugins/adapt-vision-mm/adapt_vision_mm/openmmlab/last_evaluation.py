"""The last evaluation of a loop, and what is made of its predictions once somebody asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

from adapt_core.evaluated_rows import EvaluatedRows
from adapt_core.evaluation import PerClass

from adapt_vision_mm.annotations.annotated_split import AnnotatedSplit, CocoResult
from adapt_vision_mm.openmmlab.contracts import Scorer


class LastEvaluation:
    """One evaluation.

    Args:
        metrics: what it gave.
        results: its predictions, of all processes.
        split: the ground truth.
        scorer: of the task.
    """

    def __init__(
        self, metrics: Mapping[str, float], results: Sequence[CocoResult], split: AnnotatedSplit, scorer: Scorer
    ) -> None:
        self.metrics = metrics
        self._results, self._split, self._scorer = results, split, scorer

    @cached_property
    def per_class(self) -> PerClass:
        """The metrics of each class."""
        return self._scorer.per_class(self._results, self._split)

    @cached_property
    def image_rows(self) -> EvaluatedRows:
        """What was found of each image."""
        return self._scorer.image_rows(self._results, self._split)
