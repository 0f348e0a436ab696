"""Words to sub-tokens, in windows of the model's length that overlap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs

IGNORED = -100
"""The label of sub-tokens that are neither trained nor scored."""


@attrs.frozen
class Window:
    """One window of a document.

    Attributes:
        encoding: what the model takes (`input_ids`, `attention_mask`, ...), without padding.
        document: index of the document.
        words: for each sub-token the index of the word that it is asked for, or -1. Each word of a document is asked
            for once: at its first sub-token, in the window where it stands farthest from an edge.
    """

    encoding: dict[str, Any]
    document: int
    words: list[int]


def windows(tokenizer: Any, documents: Sequence[Sequence[str]], limit: int) -> list[Window]:
    """Windows of at most `limit` sub-tokens; those of one document overlap by a quarter."""
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
    of = encoded.pop("overflow_to_sample_mapping")
    # The place of each word's sub-tokens, counted from the document's beginning, by window.
    spots: list[dict[int, int]] = []
    begins: dict[tuple[int, int], int] = {}
    index_in_document = 0
    for number, document in enumerate(of):
        index_in_document = index_in_document + 1 if number and of[number - 1] == document else 0
        shift = index_in_document * (room - overlap)
        places: dict[int, int] = {}
        for place, word in enumerate(encoded.word_ids(number)):
            if word is not None and word not in places:
                places[word] = place
                begins[(document, word)] = min(begins.get((document, word), shift + place), shift + place)
        spots.append({word: p for word, p in places.items() if shift + p == begins[(document, word)]})
    owner: dict[tuple[int, int], tuple[int, int]] = {}
    for number, document in enumerate(of):
        length = len(encoded["input_ids"][number])
        for word, place in spots[number].items():
            margin = min(place, length - 1 - place)
            if margin > owner.get((document, word), (-1, 0))[0]:
                owner[(document, word)] = (margin, number)
    result = []
    for number, document in enumerate(of):
        words = [-1] * len(encoded["input_ids"][number])
        for word, place in spots[number].items():
            if owner[(document, word)][1] == number:
                words[place] = word
        result.append(Window({key: value[number] for key, value in encoded.items()}, document, words))
    return result
