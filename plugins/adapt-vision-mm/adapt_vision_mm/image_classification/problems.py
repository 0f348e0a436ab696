"""The kinds of problems that images pose, each with its metrics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import attrs

from adapt_core.hf.problems.kinds import MULTI_LABEL, REGRESSION, SINGLE_LABEL
from adapt_core.hf.problems.multi_label import MultiLabel
from adapt_core.hf.problems.problem import Outcome, Problem, Weights
from adapt_core.hf.problems.regression import Regression
from adapt_core.hf.problems.single_label import SingleLabel

from adapt_vision_mm.image_classification.metrics import METRICS, best_five, classification_metrics

if TYPE_CHECKING:
    import torch
    from transformers import EvalPrediction

    from adapt_core.contracts import TaskData
    from adapt_core.evaluation import PerClass
    from adapt_core.hf.loop.components import TrainerComponents

_BEST = 5


@attrs.define(kw_only=True)
class OneClass(SingleLabel):
    """One class for each image, with accuracy, top-5 accuracy and macro-F1."""

    metrics: ClassVar[Mapping[str, str]] = METRICS

    def complete(
        self, components: TrainerComponents, data: TaskData, targets: Iterable[Any], weights: Weights
    ) -> TrainerComponents:
        from adapt_core.hf.loop.per_class import class_table

        def per_class(prediction: EvalPrediction, _rows: object) -> PerClass:
            return class_table(prediction.label_ids, prediction.predictions[:, 0], self.names)

        measured = attrs.evolve(
            components,
            compute_metrics=classification_metrics,
            per_class=per_class,
            metrics=self.metrics,
            preprocess_logits=best_five,
        )
        return super().complete(measured, data, targets, weights)

    def outcomes(self, logits: torch.Tensor) -> list[Outcome]:
        """Return {"label", "score", "top"} of each row: the best class and its probability, and the five best."""
        scores, ids = self.probabilities(logits).topk(min(_BEST, len(self.names)))
        found = []
        for values, numbers in zip(scores.tolist(), ids.tolist(), strict=True):
            top = {self.names[number]: round(value, 6) for value, number in zip(values, numbers, strict=True)}
            label = next(iter(top))
            found.append(self.answered({"label": label, "score": top[label], "top": top}, values[0]))
        return found


PROBLEMS: dict[str, type[Problem]] = {SINGLE_LABEL: OneClass, MULTI_LABEL: MultiLabel, REGRESSION: Regression}
"""Kind -> its class; a model that names none is of the first."""
