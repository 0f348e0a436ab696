"""Tags of raw words, windows joined, and the entities that tags spell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from adapt_nlp.token_classification.windows import windows

_PREDICTED_AT_ONCE = 16


def tag_documents(model: Any, tokenizer: Any, documents: Sequence[Sequence[str]], limit: int) -> list[dict[str, Any]]:
    """For each document {"tokens", "tags", "scores"}, one tag and its softmax probability for each word.

    A word of which the tokenizer makes nothing (a control character) gets the tag O where there is one.
    """
    names = model.config.id2label
    nothing = "O" if "O" in names.values() else names[0]
    results: list[dict[str, Any]] = [
        {"tokens": list(words), "tags": [nothing] * len(words), "scores": [0.0] * len(words)} for words in documents
    ]
    every = windows(tokenizer, documents, limit)
    with torch.inference_mode():
        for start in range(0, len(every), _PREDICTED_AT_ONCE):
            batch = every[start : start + _PREDICTED_AT_ONCE]
            padded = tokenizer.pad([window.encoding for window in batch], padding_side="right", return_tensors="pt")
            probabilities = model(**padded.to(model.device)).logits.float().softmax(dim=-1)
            best, ids = probabilities.max(dim=-1)
            for row, window in enumerate(batch):
                for place, word in enumerate(window.words):
                    if word >= 0:
                        results[window.document]["tags"][word] = names[int(ids[row, place])]
                        results[window.document]["scores"][word] = round(float(best[row, place]), 6)
    return results


def entities(words: Sequence[str], tags: Sequence[str]) -> list[dict[str, Any]]:
    """The entities that B-, I- and O tags spell, as seqeval reads them."""
    from seqeval.metrics.sequence_labeling import get_entities

    return [
        {"type": kind, "text": " ".join(words[start : end + 1]), "start": start, "end": end + 1}
        for kind, start, end in get_entities(list(tags))
    ]
