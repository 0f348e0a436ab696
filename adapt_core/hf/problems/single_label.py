"""One label for each row: cross-entropy. A task derives its own class with its metrics."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import attrs

from adapt_core.hf.data.labels import class_weights
from adapt_core.hf.problems.kinds import SINGLE_LABEL
from adapt_core.hf.problems.problem import Outcome, Problem, Weights
from adapt_core.hf.problems.targets import Target, labels_of
from adapt_core.hf.tasks.preview import count_labels

if TYPE_CHECKING:
    import torch

    from adapt_core.contracts import TaskData
    from adapt_core.hf.loop.components import TrainerComponents


@attrs.define(kw_only=True)
class SingleLabel(Problem):
    """A class id for each row."""

    kind: ClassVar[str] = SINGLE_LABEL

    def complete(
        self, components: TrainerComponents, data: TaskData, targets: Iterable[Any], weights: Weights
    ) -> TrainerComponents:
        from adapt_core.hf.loop.losses import class_weight_sum, weighted_cross_entropy
        from adapt_core.hf.problems.class_rows import with_rows

        components = with_rows(components, data, self.names)
        table = class_weights(weights, targets, self.names) if data.train is not None else None
        if table is None:
            return components
        return attrs.evolve(components, compute_loss=weighted_cross_entropy(table), weigh_loss=class_weight_sum(table))

    def outcomes(self, logits: torch.Tensor) -> list[Outcome]:
        """Return {"label", "score"} of each row; the score is the softmax probability."""
        scores, best = logits.float().softmax(dim=-1).max(dim=-1)
        return [
            {"label": self.names[number], "score": round(score, 6)}
            for number, score in zip(best.tolist(), scores.tolist(), strict=True)
        ]

    def expected(self, target: Target) -> list[str]:
        return labels_of(target, self.names)

    def told(self, outcome: Outcome) -> str:
        return f"{outcome['label']} ({outcome['score']:.2f})"

    def is_right(self, target: Target, outcome: Outcome) -> bool:
        return bool(self.expected(target) == [outcome["label"]])

    def counts(self, targets: Iterable[Any]) -> dict[str, int]:
        return count_labels(map(int, targets), self.names)

    def use(self, logits: str, labels: str, thresholds: str) -> Sequence[str]:
        return [f"label = {labels}[int({logits}.argmax())]"]
