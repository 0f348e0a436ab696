"""Batches: padded on the right, labels too."""

from __future__ import annotations

from typing import Any

import torch

IGNORED = -100


def _padded(tokenizer: Any, examples: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
    """What the tokenizer's model takes of each example, padded on the right to the longest."""
    names = [name for name in tokenizer.model_input_names if name in examples[0]]
    encoded = [{name: example[name] for name in names} for example in examples]
    return dict(tokenizer.pad(encoded, padding_side="right", return_tensors="pt"))


class PadWithLabels:
    """Pads what the tokenizer's model takes, and `labels` (one for each sub-token) with IGNORED.

    Args:
        tokenizer: for the names of the inputs and the padding token.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    def __call__(self, examples: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """Rows with `input_ids`, `labels`, ... -> tensors (rows, longest)."""
        batch = _padded(self._tokenizer, examples)
        length = batch["input_ids"].shape[1]
        rows = [example["labels"] + [IGNORED] * (length - len(example["labels"])) for example in examples]
        batch["labels"] = torch.tensor(rows, dtype=torch.long)
        return batch


class PadWithPositions:
    """Pads what the tokenizer's model takes; `start_positions` and `end_positions` are numbers, one a row."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    def __call__(self, examples: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """Rows with `input_ids`, ... -> tensors (rows, longest), and positions (rows,) where there are any."""
        batch = _padded(self._tokenizer, examples)
        for name in ("start_positions", "end_positions"):
            if name in examples[0]:
                batch[name] = torch.tensor([example[name] for example in examples], dtype=torch.long)
        return batch
