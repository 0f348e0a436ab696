"""Batches of documents or packs."""

from __future__ import annotations

from itertools import chain
from typing import Any

import torch

from adapt_nlp.collate import PadWithLabels
from adapt_nlp.text_generation.data import IGNORED


class CollateDocuments:
    """Packs, which bring `position_ids`, without an attention mask; documents padded on the right, with one.

    From restarting `position_ids` a model of transformers makes the mask that keeps the documents of a pack apart, but
    only where no attention mask is given.

    Args:
        tokenizer: for the padding token.
        flat: put all packs of a batch into one row, the only form in which flash attention keeps documents apart.
    """

    def __init__(self, tokenizer: Any, flat: bool = False) -> None:
        self._pad = PadWithLabels(tokenizer)
        self._padding = int(tokenizer.pad_token_id)
        self._flat = flat

    def __call__(self, examples: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """Rows with `input_ids`, `labels`, and `position_ids` where packed -> int64 tensors (rows, longest)."""
        if "position_ids" not in examples[0]:
            return self._pad(examples)
        if self._flat:
            return {
                name: torch.tensor([list(chain.from_iterable(example[name] for example in examples))])
                for name in ("input_ids", "labels", "position_ids")
            }
        longest = max(len(example["input_ids"]) for example in examples)
        missing = [longest - len(example["input_ids"]) for example in examples]

        def filled(name: str, filler: Any) -> torch.Tensor:
            rows = [list(e[name]) + list(filler(n)) for e, n in zip(examples, missing, strict=True)]
            return torch.tensor(rows, dtype=torch.long)

        return {
            "input_ids": filled("input_ids", lambda n: [self._padding] * n),
            "labels": filled("labels", lambda n: [IGNORED] * n),
            # The padding is a document of its own, which nobody reads.
            "position_ids": filled("position_ids", range),
        }
