"""What an evaluation finds of each row that has one class: its confidence, and the logits where memory allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs
import numpy
from transformers import EvalPrediction

from adapt_core.evaluated_rows import EvaluatedRows

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from adapt_core.contracts import TaskData
    from adapt_core.evaluation import PerClass
    from adapt_core.hf.loop.components import TrainerComponents

MOST_SCORES = 10_000_000
"""Logits of a split (rows x classes) up to which an evaluation keeps them: 40 MB."""


def with_rows(components: TrainerComponents, data: TaskData, names: Sequence[str]) -> TrainerComponents:
    """Return components whose evaluations say what they find of each row.

    Args:
        components: with `preprocess_logits`, that makes class ids (rows,) of logits, or (rows, n), the best first, and
            with `compute_metrics` and `per_class` of them.
        data: of the run.
        names: of the classes.
    """
    ids_of, metrics_of, table_of = components.preprocess_logits, components.compute_metrics, components.per_class
    if ids_of is None or metrics_of is None:
        return components
    most = max((len(split) for split in (data.validation, data.test) if split is not None), default=0)
    keeps_logits = most * len(names) <= MOST_SCORES

    def preprocess(logits: Any, labels: Any) -> tuple[torch.Tensor, ...]:
        scores = (logits[0] if isinstance(logits, tuple) else logits).float()
        kept = ids_of(logits, labels), scores.softmax(dim=-1).amax(dim=-1)
        return (*kept, scores) if keeps_logits else kept

    def metrics(prediction: EvalPrediction) -> dict[str, float]:
        return metrics_of(_of_ids(prediction))

    def per_class(prediction: EvalPrediction, rows: object) -> PerClass:
        assert table_of is not None
        return table_of(_of_ids(prediction), rows)

    def evaluated_rows(prediction: EvalPrediction, _rows: object) -> EvaluatedRows:
        ids, confidence, *logits = prediction.predictions
        truth = numpy.asarray(prediction.label_ids)

        def measure(sample: NDArray[numpy.intp]) -> Mapping[str, float]:
            return metrics_of(EvalPrediction(ids[sample], truth[sample]))

        best = ids if ids.ndim == 1 else ids[:, 0]
        right = best == truth
        return EvaluatedRows(
            kind="class",
            rows=range(len(truth)),
            expected=[names[number] for number in truth.tolist()],
            predicted=[names[number] for number in best.tolist()],
            confidence=confidence.tolist(),
            right=right.tolist(),
            scores=logits[0] if logits else None,
            labels=tuple(names),
            ratios={"accuracy": (right.astype(float), numpy.ones(len(right)))},
            measure=measure,
        )

    return attrs.evolve(
        components,
        preprocess_logits=preprocess,
        compute_metrics=metrics,
        per_class=per_class if table_of is not None else None,
        evaluated_rows=evaluated_rows,
    )


def _of_ids(prediction: EvalPrediction) -> EvalPrediction:
    return EvalPrediction(prediction.predictions[0], prediction.label_ids)
