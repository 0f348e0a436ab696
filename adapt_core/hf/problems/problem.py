"""What a loop, predictions and reports need to know of a problem: the base class of its kinds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import attrs

from adapt_core.config.plan import Plan
from adapt_core.evaluation import Decisions, Evaluated
from adapt_core.hf.decisions.names import kept_decisions
from adapt_core.hf.problems.kinds import AUTO, IN_TRANSFORMERS
from adapt_core.hf.problems.params import ProblemParams, wanted_kind
from adapt_core.hf.problems.targets import Target

if TYPE_CHECKING:
    import torch

    from adapt_core.contracts import TaskData
    from adapt_core.hf.loop.components import TrainerComponents

Outcome = dict[str, Any]
"""What a model says of one row, JSON-ready; its keys are those of a prediction."""

Weights = str | Mapping[str, object] | None
"""CLASS_WEIGHTS: balanced, a mapping of label to weight, or none."""


@attrs.define(kw_only=True)
class Problem(ABC):
    """One kind of problem with the labels or numbers of a data set. A problem of a finished run is made of its model.

    Attributes:
        names: of the labels or numbers, in the order of the model's outputs.
        decisions: what an evaluation tuned, by its name in a model's config (see `adapt_core.hf.decisions.names`).
    """

    kind: ClassVar[str]
    metrics: ClassVar[Mapping[str, str]]

    names: tuple[str, ...]
    decisions: Mapping[str, Any] = attrs.field(factory=dict)

    @property
    def in_transformers(self) -> str:
        """The kind as `problem_type` of a transformers model."""
        return IN_TRANSFORMERS[self.kind]

    @abstractmethod
    def complete(
        self, components: TrainerComponents, data: TaskData, targets: Iterable[Any], weights: Weights
    ) -> TrainerComponents:
        """Return the components of a loop with loss and metrics.

        Args:
            components: of the task. A `compute_loss` is replaced where the problem has a loss of its own.
            data: of the run. The scores of its test split use the decisions of its `facts`.
            targets: of the training rows.
            weights: CLASS_WEIGHTS.

        Raises:
            DataError: the weights do not name the labels.
        """

    @abstractmethod
    def outcomes(self, logits: torch.Tensor) -> list[Outcome]:
        """Return what the outputs of a model say of each row.

        Args:
            logits: (rows, labels or numbers), any float type and device.
        """

    @abstractmethod
    def expected(self, target: Target) -> list[str]:
        """Return the labels of a target by name, or its numbers as text."""

    @abstractmethod
    def told(self, outcome: Outcome) -> str:
        """Return an outcome in a few words: labels with their scores, or numbers."""

    @abstractmethod
    def is_right(self, target: Target, outcome: Outcome) -> bool | None:
        """Return whether an outcome is the target; None where that has no meaning."""

    @abstractmethod
    def counts(self, targets: Iterable[Any]) -> dict[str, int]:
        """Return the rows that have each label; empty where there are no labels."""

    def facts_of(self, found: Evaluated, params: ProblemParams) -> Mapping[str, Any]:
        """Return what predictions take from the last evaluation of the validation split; nothing by default."""
        return {}

    def decided(self, found: Evaluated, facts: Mapping[str, Any]) -> Decisions:
        """Return the decisions among the facts, and how well they do in an evaluation; none by default."""
        return Decisions()

    @abstractmethod
    def use(self, logits: str, labels: str, kept: str) -> Sequence[str]:
        """Return Python lines that make the outcome of a row, without adapt.

        Args:
            logits: an expression for the logits of a batch of one row.
            labels: for the names by number.
            kept: for a decision, with its name in place of {}.
        """

    def sample(self, target: Target, outcome: Outcome) -> dict[str, Any]:
        """Return {"expected", "predicted"} of a row for the report, and "right" where that has a meaning."""
        right = self.is_right(target, outcome)
        return {
            "expected": ", ".join(self.expected(target)),
            "predicted": self.told(outcome),
            **({} if right is None else {"right": right}),
        }


def problem_of(data: TaskData, kinds: Mapping[str, type[Problem]]) -> Problem:
    """Return the problem of a run's data.

    Args:
        data: its labels and `facts`.
        kinds: kind -> class; a kind that the facts do not name is the first.
    """
    kind = data.facts.get("problem_type", next(iter(kinds)))
    return kinds[kind](names=data.labels or (), decisions=kept_decisions(data.facts))


def expected_problem(plan: Plan[ProblemParams], kinds: Mapping[str, type[Problem]]) -> Problem:
    """Return the problem of a plan before its data is read: of the kind that the keys name, else of the first."""
    kind = wanted_kind(plan.task.params)
    return kinds[next(iter(kinds)) if kind == AUTO else kind](names=())


def possible_metrics(plan: Plan[ProblemParams], kinds: Mapping[str, type[Problem]]) -> list[str]:
    """Return the metrics that a run of a plan may report, as far as that is known before its data is read."""
    wanted = wanted_kind(plan.task.params)
    return [name for kind, each in kinds.items() if wanted in (kind, AUTO) for name in each.metrics]
