"""Evaluation in several processes, with the metrics of one process.

Data loaders of several processes pad the last round of batches with rows from the beginning, so that every process has
a full batch to gather. The Trainer drops the results of those rows, but the loss of a batch with some is a mean over
them too. So a batch is computed on its own rows only, and its results are padded afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from transformers import Trainer
from transformers.trainer_pt_utils import find_batch_size


def own_row_count(trainer: Trainer, inputs: Mapping[str, Any]) -> int | None:
    """Return the number of rows of an evaluated batch that are no padding, or None where none is padding."""
    size = find_batch_size(inputs)
    state = trainer.accelerator.gradient_state
    if size is None or trainer.args.world_size <= 1 or not state.in_dataloader or not state.end_of_dataloader:
        return None
    if state.remainder <= 0:
        return None
    own = int(state.remainder) - trainer.args.process_index * int(size)
    return max(own, 0) if own < size else None


def first_rows(inputs: Mapping[str, Any], rows: int) -> dict[str, Any]:
    """Return the first rows of each tensor of a batch."""
    size = find_batch_size(inputs)
    return {
        name: value[:rows] if isinstance(value, torch.Tensor) and value.ndim and len(value) == size else value
        for name, value in inputs.items()
    }


def pad_rows(results: Any, size: int) -> Any:
    """Return results of a batch with the last row repeated up to `size` rows."""
    if isinstance(results, torch.Tensor):
        if not results.ndim or len(results) >= size:
            return results
        return torch.cat([results, results[-1:].expand(size - len(results), *results.shape[1:])])
    if isinstance(results, Mapping):
        return type(results)({name: pad_rows(item, size) for name, item in results.items()})  # type: ignore[call-arg]
    if isinstance(results, (list, tuple)):
        return type(results)(pad_rows(item, size) for item in results)
    return results
