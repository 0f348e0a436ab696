"""The last evaluation of a loop, and what is made of its predictions once somebody asks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from adapt_core.evaluated_rows import EvaluatedRows
from adapt_core.evaluation import PerClass

from adapt_vision_mm.annotations.annotated_split import AnnotatedSplit, CocoResult
from adapt_vision_mm.annotations.average_precision import CocoEvaluation
from adapt_vision_mm.annotations.image_rows import image_rows, measured_alone
from adapt_vision_mm.openmmlab.contracts import Scorer


class LastEvaluation:
    """One evaluation, each kind of which is matched and accumulated once.

    Args:
        results: its predictions, of all processes.
        split: the ground truth.
        scorer: of the task.

    Attributes:
        metrics: what it gave.
    """

    def __init__(self, results: Sequence[CocoResult], split: AnnotatedSplit, scorer: Scorer) -> None:
        self._scorer = scorer
        self._first, *self._others = (CocoEvaluation(split, results, kind) for kind in scorer.kinds)
        self.metrics: dict[str, float] = {}
        for one in (self._first, *self._others):
            self.metrics |= one.average_precision()

    @cached_property
    def per_class(self) -> PerClass:
        """The metrics of each class."""
        return self._scorer.per_class(self._first)

    @cached_property
    def image_rows(self) -> Sequence[EvaluatedRows]:
        """What was found of each image, by each kind."""
        least = dict(zip(self.per_class.labels, self.per_class.figures.get("threshold", ()), strict=False))
        others = [measured_alone(image_rows(one, least)) for one in self._others]
        return [image_rows(self._first, least), *others]
