"""Batches padded on the right, as several tasks use them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch

from adapt_core.hf.data.labels import IGNORED

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def pad_inputs(tokenizer: PreTrainedTokenizerBase, examples: Sequence[Mapping[str, Any]]) -> dict[str, torch.Tensor]:
    """Return the model's inputs of each example, padded on the right to the longest: tensors (rows, longest)."""
    names = [name for name in tokenizer.model_input_names if name in examples[0]]
    encoded = [{name: example[name] for name in names} for example in examples]
    return dict(tokenizer.pad(encoded, padding_side="right", return_tensors="pt"))


class PadWithLabels:
    """Pads the model's inputs, and `labels` (one for each sub-token) with IGNORED.

    Args:
        tokenizer: for the names of the inputs and the padding token.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer = tokenizer

    def __call__(self, examples: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """Return tensors of shape (rows, longest)."""
        batch = pad_inputs(self._tokenizer, examples)
        length = batch["input_ids"].shape[1]
        rows = [example["labels"] + [IGNORED] * (length - len(example["labels"])) for example in examples]
        batch["labels"] = torch.tensor(rows, dtype=torch.long)
        return batch
