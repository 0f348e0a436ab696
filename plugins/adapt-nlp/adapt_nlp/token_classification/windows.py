"""Words as sub-tokens, in overlapping windows of the model's length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@attrs.frozen
class Window:
    """One window of a document.

    Attributes:
        encoding: the model's inputs (`input_ids`, `attention_mask`, ...), without padding.
        document: the index of the document.
        words: for each sub-token the index of the word whose tag it predicts, or -1. Each word is predicted once: at
            its first sub-token, in the window where that is farthest from an edge.
    """

    encoding: dict[str, Any]
    document: int
    words: list[int]


def cut_windows(tokenizer: PreTrainedTokenizerBase, documents: Sequence[Sequence[str]], limit: int) -> list[Window]:
    """Return windows of at most `limit` sub-tokens. Those of one document overlap by a quarter."""
    room = limit - tokenizer.num_special_tokens_to_add()
    overlap = room // 4
    encoded = tokenizer(
        [list(words) for words in documents],
        is_split_into_words=True,
        truncation=True,
        max_length=limit,
        stride=overlap,
        return_overflowing_tokens=True,
    )
    document_of = encoded.pop("overflow_to_sample_mapping")
    # The first sub-token of each word, by window; `begins` counts it from the document's beginning.
    first_tokens: list[dict[int, int]] = []
    begins: dict[tuple[int, int], int] = {}
    index_in_document = 0
    for number, document in enumerate(document_of):
        index_in_document = index_in_document + 1 if number and document_of[number - 1] == document else 0
        shift = index_in_document * (room - overlap)
        tokens: dict[int, int] = {}
        for token, word in enumerate(encoded.word_ids(number)):
            if word is not None and word not in tokens:
                tokens[word] = token
                begins[(document, word)] = min(begins.get((document, word), shift + token), shift + token)
        first_tokens.append({word: t for word, t in tokens.items() if shift + t == begins[(document, word)]})
    owner: dict[tuple[int, int], tuple[int, int]] = {}
    for number, document in enumerate(document_of):
        length = len(encoded["input_ids"][number])
        for word, token in first_tokens[number].items():
            margin = min(token, length - 1 - token)
            if margin > owner.get((document, word), (-1, 0))[0]:
                owner[(document, word)] = (margin, number)
    result = []
    for number, document in enumerate(document_of):
        words = [-1] * len(encoded["input_ids"][number])
        for word, token in first_tokens[number].items():
            if owner[(document, word)][1] == number:
                words[token] = word
        result.append(Window({key: value[number] for key, value in encoded.items()}, document, words))
    return result
