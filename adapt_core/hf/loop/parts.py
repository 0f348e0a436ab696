"""An evaluation of several data sets: one after the other, then of all of them from the same predictions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any

import numpy
from datasets import Dataset
from torch.utils.data import Dataset as TorchDataset
from torch.utils.data import Subset
from transformers import EvalPrediction
from transformers.trainer_pt_utils import nested_concat
from transformers.trainer_utils import EvalLoopOutput

from adapt_core.contracts import TaskData
from adapt_core.evaluation import OF_PLACE
from adapt_core.hf.loop.eval_order import restore_row_order

Parts = Mapping[str, Any]
"""Name of a data set -> its examples."""


def parts_of(data: TaskData) -> list[tuple[Any, Parts]]:
    """Return the splits that are of several data sets, each with the examples of each of them."""
    found: list[tuple[Any, Parts]] = []
    for split, ranges in data.parts.items():
        examples = getattr(data, split)
        if examples is not None and ranges:
            taken = {name: _taken(examples, rows) for name, rows in ranges.items()}
            data.subsets += [(rows, split) for rows in taken.values()]
            found.append((examples, taken))
    return found


def _taken(examples: TorchDataset[object], rows: range) -> object:
    return examples.select(rows) if isinstance(examples, Dataset) else Subset(examples, rows)


def in_row_order(output: EvalLoopOutput, order: Sequence[int] | None) -> EvalLoopOutput:
    """Return the output of an evaluation with the results of row n at index n.

    Args:
        output: of the evaluation.
        order: of its rows; None where they are in order.
    """
    if order is None or output.predictions is None:
        return output
    found = restore_row_order(EvalPrediction(output.predictions, output.label_ids), order)
    return output._replace(predictions=found.predictions, label_ids=found.label_ids)


def joint_output(
    parts: Mapping[str, EvalLoopOutput],
    compute_metrics: Callable[[EvalPrediction], dict[str, float]] | None,
    prefix: str,
    loss: Callable[[], float | None],
) -> EvalLoopOutput:
    """Return the output of the evaluation of all parts, with their metrics as eval_accuracy@NAME.

    Args:
        parts: in the order of their rows.
        compute_metrics: of the Trainer.
        prefix: "eval".
        loss: gives the loss of all parts, called after `compute_metrics`; None where that has computed it.
    """
    predictions = _joined([output.predictions for output in parts.values()])
    labels = _joined([output.label_ids for output in parts.values()])
    metrics: dict[str, float] = {}
    if compute_metrics is not None and predictions is not None:
        scores = compute_metrics(EvalPrediction(predictions, labels))
        metrics = {f"{prefix}_{name}": float(numpy.asarray(value)) for name, value in scores.items()}
    mean = loss()
    if mean is not None:
        metrics[f"{prefix}_loss"] = mean
    for name, output in parts.items():
        own = {key: value for key, value in (output.metrics or {}).items() if key in metrics}
        metrics.update({f"{key}{OF_PLACE}{name}": value for key, value in own.items()})
    rows = sum(output.num_samples or 0 for output in parts.values())
    return EvalLoopOutput(predictions=predictions, label_ids=labels, metrics=metrics, num_samples=rows)


def _joined(held: Sequence[object]) -> object:
    return None if any(values is None for values in held) else reduce(nested_concat, held)
