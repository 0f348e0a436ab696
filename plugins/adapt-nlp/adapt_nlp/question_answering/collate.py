"""Batches of windows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from adapt_nlp.collate import pad_inputs

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class PadWithPositions:
    """Pads the model's inputs; `start_positions` and `end_positions` are one number a window.

    Args:
        tokenizer: for the names of the inputs and the padding token.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer = tokenizer

    def __call__(self, examples: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """Return tensors of shape (rows, longest), and positions of shape (rows,) where the examples have them."""
        batch = pad_inputs(self._tokenizer, examples)
        for name in ("start_positions", "end_positions"):
            if name in examples[0]:
                batch[name] = torch.tensor([example[name] for example in examples], dtype=torch.long)
        return batch
