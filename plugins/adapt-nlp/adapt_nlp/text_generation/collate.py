"""Batches of documents or packs."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

import torch

from adapt_core.hf.data.labels import IGNORED

from adapt_nlp.collate import PadWithLabels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from transformers import PreTrainedTokenizerBase


class CollateDocuments:
    """Batches packs (which have `position_ids`) without attention mask, and documents padded on the right with one.

    transformers derives the mask that separates the documents of a pack from `position_ids` that restart, but only
    where no attention mask is given.

    Args:
        tokenizer: for the padding token.
        flat: put all packs of a batch into one row, the only form in which flash attention separates documents.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, *, flat: bool = False) -> None:
        self._pad = PadWithLabels(tokenizer)
        self._padding = int(tokenizer.pad_token_id)
        self._flat = flat

    def __call__(self, examples: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """Return int64 tensors (rows, longest): `input_ids`, `labels`, and `position_ids` or `attention_mask`."""
        if "position_ids" not in examples[0]:
            return self._pad(examples)
        if self._flat:
            return {
                name: torch.tensor([list(chain.from_iterable(example[name] for example in examples))])
                for name in ("input_ids", "labels", "position_ids")
            }
        longest = max(len(example["input_ids"]) for example in examples)
        missing = [longest - len(example["input_ids"]) for example in examples]

        def filled(name: str, filler: Callable[[int], Iterable[int]]) -> torch.Tensor:
            rows = [list(e[name]) + list(filler(n)) for e, n in zip(examples, missing, strict=True)]
            return torch.tensor(rows, dtype=torch.long)

        return {
            "input_ids": filled("input_ids", lambda n: [self._padding] * n),
            "labels": filled("labels", lambda n: [IGNORED] * n),
            # The padding is its own document, which no other attends to.
            "position_ids": filled("position_ids", range),
        }
