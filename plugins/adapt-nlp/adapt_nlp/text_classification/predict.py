"""What a model says of raw texts: their labels or numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedTokenizerBase

    from adapt_core.hf.problems.problem import Outcome, Problem

_BATCH_SIZE = 32


def classify_texts(
    model: nn.Module, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], limit: int, problem: Problem
) -> list[Outcome]:
    """Return the outcome of each text.

    Args:
        model: in evaluation mode.
        tokenizer: of the model.
        texts: any number.
        limit: the longest input in tokens.
        problem: that the model was trained for.
    """
    module: Any = model
    results: list[Outcome] = []
    with torch.inference_mode():
        for start in range(0, len(texts), _BATCH_SIZE):
            batch = list(texts[start : start + _BATCH_SIZE])
            encoded = tokenizer(batch, truncation=True, max_length=limit, padding=True, return_tensors="pt")
            results += problem.outcomes(module(**encoded.to(module.device)).logits)
    return results
