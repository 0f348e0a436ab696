"""The kinds of problems that texts pose, each with its metrics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import attrs

from adapt_core.hf.problems.kinds import MULTI_LABEL, REGRESSION, SINGLE_LABEL
from adapt_core.hf.problems.multi_label import MultiLabel
from adapt_core.hf.problems.problem import Problem, Weights
from adapt_core.hf.problems.regression import Regression
from adapt_core.hf.problems.single_label import SingleLabel

from adapt_nlp.metrics import names

if TYPE_CHECKING:
    from transformers import EvalPrediction

    from adapt_core.contracts import TaskData
    from adapt_core.evaluation import PerClass
    from adapt_core.hf.loop.components import TrainerComponents


@attrs.define(kw_only=True)
class OneClass(SingleLabel):
    """One class for each text, with accuracy and macro-F1."""

    metrics: ClassVar[Mapping[str, str]] = names.CLASSIFICATION

    def complete(
        self, components: TrainerComponents, data: TaskData, targets: Iterable[Any], weights: Weights
    ) -> TrainerComponents:
        from adapt_core.hf.loop.per_class import class_table

        from adapt_nlp.metrics.classification import classification_scores, predicted_classes

        def score(prediction: EvalPrediction) -> dict[str, float]:
            return classification_scores(prediction.label_ids, prediction.predictions)

        def per_class(prediction: EvalPrediction, _rows: object) -> PerClass:
            return class_table(prediction.label_ids, prediction.predictions, self.names)

        measured = attrs.evolve(
            components,
            compute_metrics=score,
            per_class=per_class,
            metrics=self.metrics,
            preprocess_logits=predicted_classes,
        )
        return super().complete(measured, data, targets, weights)


PROBLEMS: dict[str, type[Problem]] = {SINGLE_LABEL: OneClass, MULTI_LABEL: MultiLabel, REGRESSION: Regression}
"""Kind -> its class; a model that names none is of the first."""
