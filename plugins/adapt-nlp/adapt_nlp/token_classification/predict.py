"""Tags of raw words, joined over windows, and the entities that they spell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypedDict

import torch

from adapt_nlp.token_classification.schemes import entities_of
from adapt_nlp.token_classification.windows import cut_windows

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedTokenizerBase

_BATCH_SIZE = 16


class TaggedWords(TypedDict):
    """The words of a document, each with its tag and the tag's softmax probability."""

    tokens: list[str]
    tags: list[str]
    scores: list[float]


class Entity(TypedDict):
    """An entity: words start to end (exclusive) of a document."""

    type: str
    text: str
    start: int
    end: int


def tag_documents(
    model: nn.Module, tokenizer: PreTrainedTokenizerBase, documents: Sequence[Sequence[str]], limit: int
) -> list[TaggedWords]:
    """Return the words of each document with their tags.

    A word without sub-tokens (a control character) gets the tag O where there is one.

    Args:
        model: in evaluation mode.
        tokenizer: a fast one.
        documents: words.
        limit: the longest window in sub-tokens.
    """
    module: Any = model
    names = module.config.id2label
    default = "O" if "O" in names.values() else names[0]
    results: list[TaggedWords] = [
        {"tokens": list(words), "tags": [default] * len(words), "scores": [0.0] * len(words)} for words in documents
    ]
    windows = cut_windows(tokenizer, documents, limit)
    with torch.inference_mode():
        for start in range(0, len(windows), _BATCH_SIZE):
            batch = windows[start : start + _BATCH_SIZE]
            padded = tokenizer.pad([window.encoding for window in batch], padding_side="right", return_tensors="pt")
            probabilities = module(**padded.to(module.device)).logits.float().softmax(dim=-1)
            best, ids = probabilities.max(dim=-1)
            for row, window in enumerate(batch):
                result = results[window.document]
                for token, word in enumerate(window.words):
                    if word >= 0:
                        result["tags"][word] = names[int(ids[row, token])]
                        result["scores"][word] = round(float(best[row, token]), 6)
    return results


def find_entities(words: Sequence[str], tags: Sequence[str], entity_tags: Mapping[str, str]) -> list[Entity]:
    """Return the entities that tags spell.

    Args:
        words: of a document.
        tags: of the words.
        entity_tags: the return value of `as_entity_tags` for all tags of the model.
    """
    return [
        {"type": kind, "text": " ".join(words[start : end + 1]), "start": start, "end": end + 1}
        for kind, start, end in entities_of([entity_tags[tag] for tag in tags])
    ]
