"""Batches of random tokens, the same in every run."""

from __future__ import annotations

import torch


def random_texts(rows: int, tokens: int) -> dict[str, torch.Tensor]:
    """Return input_ids (rows, tokens) and labels (rows,) of 4 classes, both int64."""
    random = torch.Generator().manual_seed(2)
    return {
        "input_ids": torch.randint(5, 1000, (rows, tokens), generator=random),
        "labels": torch.randint(0, 4, (rows,), generator=random),
    }
