"""One label for each row: cross-entropy. A task derives its own class with its metrics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import attrs

from adapt_core.evaluation import Decisions, Evaluated
from adapt_core.hf.data.labels import class_weights
from adapt_core.hf.decisions.names import LEAST, TEMPERATURE
from adapt_core.hf.decisions.one_label import (
    decided_confidences,
    findings_of,
    measured_decisions,
    told_decisions,
    tuned_decisions,
)
from adapt_core.hf.problems.kinds import SINGLE_LABEL
from adapt_core.hf.problems.params import ProblemParams
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
        """Return {"label", "score"} of each row, and what `answered` makes of it; the score is the probability."""
        scores, best = self.probabilities(logits).max(dim=-1)
        return [
            self.answered({"label": self.names[number], "score": round(score, 6)}, score)
            for number, score in zip(best.tolist(), scores.tolist(), strict=True)
        ]

    def probabilities(self, logits: torch.Tensor) -> torch.Tensor:
        """Return the calibrated probability of each class, float32 (rows, classes)."""
        temperature: float = self.decisions.get(TEMPERATURE, 1.0)
        return (logits.float() / temperature).softmax(dim=-1)

    def answered(self, outcome: Outcome, score: float) -> Outcome:
        """Return the outcome of a row with "abstained" and "would_be", the class, where a confidence decides on that.

        Args:
            outcome: with "label", which is None of a row that is not answered.
            score: the probability of its class.
        """
        if LEAST not in self.decisions:
            return outcome
        abstained, label = score < self.decisions[LEAST], outcome["label"]
        return {**outcome, "label": None if abstained else label, "abstained": abstained, "would_be": label}

    def expected(self, target: Target) -> list[str]:
        return labels_of(target, self.names)

    def told(self, outcome: Outcome) -> str:
        if outcome.get("abstained"):
            return f"no answer ({outcome['would_be']} {outcome['score']:.2f})"
        return f"{outcome['label']} ({outcome['score']:.2f})"

    def is_right(self, target: Target, outcome: Outcome) -> bool | None:
        return None if outcome.get("abstained") else bool(self.expected(target) == [outcome["label"]])

    def counts(self, targets: Iterable[Any]) -> dict[str, int]:
        return count_labels(map(int, targets), self.names)

    def facts_of(self, found: Evaluated, params: ProblemParams) -> Mapping[str, Any]:
        """Return the temperature and the least confidence that the evaluation tuned."""
        rows = next((each for each in found.rows if each.kind == "class"), None)
        if rows is None:
            return {}
        return tuned_decisions(rows, calibrate=params.calibrate, precision=params.abstain_precision)

    def decided(self, found: Evaluated, facts: Mapping[str, Any]) -> Decisions:
        """Return the calibration and the abstention, and how well they do."""
        rows = next((each for each in found.rows if each.kind == "class"), None)
        if rows is None:
            return Decisions()
        return Decisions(
            tuned=told_decisions(facts),
            measured=measured_decisions(rows, facts),
            findings=findings_of(facts, len(rows)),
            confidence=decided_confidences(rows, facts),
        )

    def use(self, logits: str, labels: str, kept: str) -> Sequence[str]:
        plain = f"label = {labels}[int({logits}.argmax())]"
        if not {TEMPERATURE, LEAST} & set(self.decisions):
            return [plain]
        used = f"{logits} / {kept.format(TEMPERATURE)}" if TEMPERATURE in self.decisions else logits
        lines = [
            f"score, best = ({used}).softmax(dim=-1)[0].max(dim=-1)"
            if used != logits
            else f"score, best = {logits}.softmax(dim=-1)[0].max(dim=-1)",
            f"label = {labels}[int(best)]",
        ]
        if LEAST in self.decisions:
            lines[-1] += f" if score >= {kept.format(LEAST)} else None"
        return lines
