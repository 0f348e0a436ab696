"""Any number of labels for each row: binary cross-entropy of each label, and a threshold for each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import numpy

from adapt_core.evaluated_rows import EvaluatedRows
from adapt_core.evaluation import Decisions, Evaluated, PerClass
from adapt_core.hf.data.labels import label_weights
from adapt_core.hf.decisions.names import THRESHOLDS
from adapt_core.hf.problems.kinds import MULTI_LABEL, MULTI_LABEL_METRICS
from adapt_core.hf.problems.label_rows import label_rows
from adapt_core.hf.problems.params import ProblemParams
from adapt_core.hf.problems.problem import Outcome, Problem, Weights
from adapt_core.hf.problems.scores import Array, average_precisions, label_counts, label_scores
from adapt_core.hf.problems.targets import NONE, Target, labels_of
from adapt_core.hf.problems.thresholds import DEFAULT, best_thresholds

if TYPE_CHECKING:
    import torch
    from transformers import EvalPrediction

    from adapt_core.contracts import TaskData
    from adapt_core.hf.loop.components import TrainerComponents


@attrs.define(kw_only=True)
class MultiLabel(Problem):
    """A sigmoid probability of each label, which is given to a row where it reaches the label's threshold."""

    kind: ClassVar[str] = MULTI_LABEL
    metrics: ClassVar[Mapping[str, str]] = MULTI_LABEL_METRICS

    def __attrs_post_init__(self) -> None:
        self.decisions = self.decisions or {THRESHOLDS: [DEFAULT] * len(self.names)}

    @property
    def thresholds(self) -> Sequence[float]:
        """The least score of each label."""
        found: Sequence[float] = self.decisions[THRESHOLDS]
        return found

    def complete(
        self, components: TrainerComponents, data: TaskData, targets: Iterable[Any], weights: Weights
    ) -> TrainerComponents:
        from adapt_core.hf.loop.losses import binary_cross_entropy

        table = label_weights(weights, targets, self.names) if data.train is not None else None

        def decided(prediction: EvalPrediction, rows: object) -> tuple[Array, Array, Array, Array]:
            kept = data.facts.get(THRESHOLDS, self.thresholds) if data.split_of(rows) != "validation" else None
            return decide(prediction, kept)

        def score(prediction: EvalPrediction, rows: object) -> dict[str, float]:
            truth, predicted, scores, _ = decided(prediction, rows)
            return label_scores(truth, predicted, scores)

        def per_class(prediction: EvalPrediction, rows: object) -> PerClass:
            return label_table(self.names, *decided(prediction, rows))

        def evaluated_rows(prediction: EvalPrediction, rows: object) -> EvaluatedRows:
            truth, predicted, scores, _ = decided(prediction, rows)
            return label_rows(self.names, truth, predicted, scores)

        return attrs.evolve(
            components,
            metrics=self.metrics,
            preprocess_logits=probabilities,
            score=score,
            per_class=per_class,
            evaluated_rows=evaluated_rows,
            compute_loss=binary_cross_entropy(table),
        )

    def outcomes(self, logits: torch.Tensor) -> list[Outcome]:
        """Return {"labels", "scores"} of each row: the given labels, most probable first, and all probabilities."""
        rows = logits.float().sigmoid().tolist()
        found = []
        for row in rows:
            given = [number for number, score in enumerate(row) if score >= self.thresholds[number]]
            given.sort(key=lambda number, row=row: -row[number])  # type: ignore[misc]
            scores = {name: round(score, 6) for name, score in zip(self.names, row, strict=True)}
            found.append({"labels": [self.names[number] for number in given], "scores": scores})
        return found

    def expected(self, target: Target) -> list[str]:
        return labels_of(target, self.names) or [NONE]

    def told(self, outcome: Outcome) -> str:
        return ", ".join(f"{name} ({outcome['scores'][name]:.2f})" for name in outcome["labels"]) or NONE

    def is_right(self, target: Target, outcome: Outcome) -> bool:
        return set(self.expected(target)) == set(outcome["labels"] or [NONE])

    def counts(self, targets: Iterable[Any]) -> dict[str, int]:
        sums = numpy.zeros(len(self.names))
        for target in targets:
            sums += target
        return {name: int(count) for name, count in zip(self.names, sums, strict=True)}

    def facts_of(self, found: Evaluated, params: ProblemParams) -> Mapping[str, Any]:
        """Return the thresholds that the evaluation tuned."""
        return {} if found.table is None else {THRESHOLDS: [float(least) for least in found.table.figures["threshold"]]}

    def decided(self, found: Evaluated, facts: Mapping[str, Any]) -> Decisions:
        """Return the thresholds by label."""
        if THRESHOLDS not in facts:
            return Decisions()
        return Decisions(tuned={THRESHOLDS: {"of": dict(zip(self.names, facts[THRESHOLDS], strict=True))}})

    def use(self, logits: str, labels: str, kept: str) -> Sequence[str]:
        thresholds = kept.format(THRESHOLDS)
        return [
            f"scores = {logits}.sigmoid()[0].tolist()",
            f"found = [{labels}[i] for i, score in enumerate(scores) if score >= {thresholds}[i]]",
        ]


def probabilities(logits: torch.Tensor | tuple[torch.Tensor, ...], _labels: torch.Tensor) -> torch.Tensor:
    """Return the sigmoid probability of each label, float32 (rows, labels), computed on the device.

    Args:
        logits: float tensor (rows, labels), or a tuple that begins with it.
    """
    return (logits[0] if isinstance(logits, tuple) else logits).float().sigmoid()


def decide(prediction: EvalPrediction, thresholds: Sequence[float] | None) -> tuple[Array, Array, Array, Array]:
    """Return truth, given labels (1 or 0) and probabilities, (rows, labels) each, and the thresholds (labels,).

    Args:
        prediction: `predictions` from `probabilities`, and `label_ids`.
        thresholds: None tunes them on these very rows.
    """
    truth = numpy.asarray(prediction.label_ids, dtype=numpy.float64)
    scores = numpy.asarray(prediction.predictions, dtype=numpy.float64)
    least = numpy.array(best_thresholds(scores, truth) if thresholds is None else thresholds)
    return truth, (scores >= least).astype(numpy.float64), scores, least


def label_table(names: Sequence[str], truth: Array, predicted: Array, scores: Array, thresholds: Array) -> PerClass:
    """Return precision, recall, F1 (0 where undefined), average precision, threshold and rows of each label.

    Args:
        names: of the labels.
        truth, predicted, scores, thresholds: as `decide` returns them.
    """
    rows, given, right = label_counts(truth, predicted)
    figures = {
        "precision": right / numpy.maximum(given, 1),
        "recall": right / numpy.maximum(rows, 1),
        "f1": 2 * right / numpy.maximum(rows + given, 1),
        "average precision": average_precisions(truth, scores),
        "threshold": thresholds,
        "rows": rows.astype(int),
    }
    return PerClass(labels=tuple(names), figures={name: values.tolist() for name, values in figures.items()})
