"""Classes of raw texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypedDict

import torch

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedTokenizerBase

_BATCH_SIZE = 32


class ClassifiedText(TypedDict):
    """A text with its class and the class's softmax probability."""

    text: str
    label: str
    score: float


def classify_texts(
    model: nn.Module, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], limit: int
) -> list[ClassifiedText]:
    """Return the class of each text.

    Args:
        model: in evaluation mode.
        tokenizer: of the model.
        texts: any number.
        limit: the longest input in tokens.
    """
    module: Any = model
    names = module.config.id2label
    results: list[ClassifiedText] = []
    with torch.inference_mode():
        for start in range(0, len(texts), _BATCH_SIZE):
            batch = list(texts[start : start + _BATCH_SIZE])
            encoded = tokenizer(batch, truncation=True, max_length=limit, padding=True, return_tensors="pt")
            probabilities = module(**encoded.to(module.device)).logits.float().softmax(dim=-1)
            for text, row in zip(batch, probabilities, strict=True):
                best = int(row.argmax())
                results.append({"text": text, "label": names[best], "score": round(float(row[best]), 6)})
    return results
