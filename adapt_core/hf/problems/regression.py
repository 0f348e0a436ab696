"""Numbers of each row: the mean squared error. Numbers are learned as they are, so nothing has to be undone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import numpy

from adapt_core.evaluated_rows import EvaluatedRows
from adapt_core.evaluation import PerClass
from adapt_core.hf.problems.kinds import REGRESSION, REGRESSION_METRICS
from adapt_core.hf.problems.label_rows import number_rows
from adapt_core.hf.problems.problem import Outcome, Problem, Weights
from adapt_core.hf.problems.scores import Array, number_errors, number_scores
from adapt_core.hf.problems.targets import Target

if TYPE_CHECKING:
    import torch
    from transformers import EvalPrediction

    from adapt_core.contracts import TaskData
    from adapt_core.hf.loop.components import TrainerComponents


@attrs.define(kw_only=True)
class Regression(Problem):
    """One output for each number."""

    kind: ClassVar[str] = REGRESSION
    metrics: ClassVar[Mapping[str, str]] = REGRESSION_METRICS

    def complete(
        self, components: TrainerComponents, data: TaskData, targets: Iterable[Any], weights: Weights
    ) -> TrainerComponents:
        from adapt_core.hf.loop.losses import squared_error

        def score(prediction: EvalPrediction, _rows: object) -> dict[str, float]:
            return number_scores(*_numbers(prediction))

        def per_number(prediction: EvalPrediction, _rows: object) -> PerClass:
            errors = number_errors(*_numbers(prediction))
            return PerClass(labels=self.names, figures={name: values.tolist() for name, values in errors.items()})

        def evaluated_rows(prediction: EvalPrediction, _rows: object) -> EvaluatedRows:
            return number_rows(self.names, *_numbers(prediction))

        return attrs.evolve(
            components,
            metrics=self.metrics,
            preprocess_logits=_first,
            score=score,
            per_class=per_number if len(self.names) > 1 else None,
            evaluated_rows=evaluated_rows,
            compute_loss=squared_error,
        )

    def outcomes(self, logits: torch.Tensor) -> list[Outcome]:
        """Return {"values"} of each row: name -> number."""
        return [{"values": dict(zip(self.names, row, strict=True))} for row in logits.float().tolist()]

    def expected(self, target: Target) -> list[str]:
        assert isinstance(target, list)
        return self._told(target)

    def told(self, outcome: Outcome) -> str:
        return ", ".join(self._told(list(outcome["values"].values())))

    def _told(self, numbers: Sequence[float]) -> list[str]:
        if len(numbers) == 1:
            return [f"{numbers[0]:.4g}"]
        return [f"{name} {number:.4g}" for name, number in zip(self.names, numbers, strict=True)]

    def is_right(self, target: Target, outcome: Outcome) -> None:
        return None

    def counts(self, targets: Iterable[Any]) -> dict[str, int]:
        return {}

    def use(self, logits: str, labels: str, kept: str) -> Sequence[str]:
        return [f"values = {{{labels}[i]: value for i, value in enumerate({logits}[0].tolist())}}"]


def _first(logits: torch.Tensor | tuple[torch.Tensor, ...], _labels: torch.Tensor) -> torch.Tensor:
    return (logits[0] if isinstance(logits, tuple) else logits).float()


def _numbers(prediction: EvalPrediction) -> tuple[Array, Array]:
    truth, found = (numpy.asarray(values, numpy.float64) for values in (prediction.label_ids, prediction.predictions))
    return truth.reshape(len(truth), -1), found.reshape(len(found), -1)
