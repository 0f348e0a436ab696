"""Texts with marked answers, tokenized so that each answer begins a token of its own, in training as in prediction.

A tokenizer may join the last character of a prompt with the first of its answer (`: ` and `positive` become `:` and
` positive`). A model trained on such a token never sees it when it predicts, because there the prompt ends before the
answer. So prompt and answer are tokenized apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Span = tuple[int, int]
"""Characters, the second exclusive."""

Tokens = tuple[list[int], list[bool]]
"""The token ids of a text, and whether each is learned."""

_ANCHORS = ("\n", "a", ".")


@attrs.frozen
class MarkedText:
    """A text and the places of its answers.

    Attributes:
        text: all of it.
        answers: the character at which each answer begins, ascending. It begins a token, too.
        learned: the characters that are learned; None for all.
    """

    text: str
    answers: tuple[int, ...] = ()
    learned: tuple[Span, ...] | None = ()


def added_tokens(tokenizer: PreTrainedTokenizerBase) -> tuple[list[int], list[int]]:
    """Return the ids of the special tokens that a tokenizer puts before a text, and of those it puts behind."""
    encoded = tokenizer("a", return_special_tokens_mask=True)
    ids: list[int] = encoded["input_ids"]
    own = [place for place, is_added in enumerate(encoded["special_tokens_mask"]) if not is_added]
    return ids[: own[0]], ids[own[-1] + 1 :]


def tokenize_marked(tokenizer: PreTrainedTokenizerBase, texts: Sequence[MarkedText]) -> list[Tokens]:
    """Return the tokens of each text, without those that the tokenizer adds before and behind it.

    Every token that has a character of a learned span is learned.

    Args:
        tokenizer: a fast one.
        texts: any number.
    """
    cuts = [[0, *filter(None, text.answers), len(text.text)] for text in texts]
    pieces = [
        (number, start, stop) for number, places in enumerate(cuts) for start, stop in pairwise(places) if stop > start
    ]
    found: list[Tokens] = [([], []) for _ in texts]
    strings = [texts[number].text[start:stop] for number, start, stop in pieces]
    follows = [start > 0 for _, start, _ in pieces]
    for (number, start, stop), tokens in zip(pieces, _pieces(tokenizer, strings, follows), strict=True):
        learned = texts[number].learned
        ids, flags = found[number]
        for token, (first, last) in tokens:
            ids.append(token)
            flags.append(learned is None or _is_learned((start + first, start + last), learned, stop))
    return found


def _is_learned(token: Span, learned: Sequence[Span], end_of_piece: int) -> bool:
    first, last = token
    # Tokens of white space have no width where a tokenizer trims its offsets.
    return any(begin < end_of_piece and first < end and (last > begin or first == begin) for begin, end in learned)


def _pieces(
    tokenizer: PreTrainedTokenizerBase, strings: Sequence[str], follows: Sequence[bool]
) -> Iterator[list[tuple[int, Span]]]:
    """Yield the tokens of each string with their characters; a string that follows others gets no prefix space."""
    anchors = [_ANCHORS[0] if behind else "" for behind in follows]
    for string, anchor, tokens in zip(strings, anchors, _encode(tokenizer, strings, anchors), strict=True):
        if not anchor or tokens is not None:
            yield tokens or []
            continue
        again = (_encode(tokenizer, [string], [other])[0] for other in (*_ANCHORS[1:], ""))
        yield next((tokens for tokens in again if tokens is not None), [])


def _encode(
    tokenizer: PreTrainedTokenizerBase, strings: Sequence[str], anchors: Sequence[str]
) -> list[list[tuple[int, Span]] | None]:
    """Return the tokens of each string behind its anchor; None where a token holds characters of both.

    Tokenizers that put a space before a text (SentencePiece's) put it before the anchor then.
    """
    if not strings:
        return []
    encoded = tokenizer(
        [anchor + string for anchor, string in zip(anchors, strings, strict=True)],
        add_special_tokens=False,
        return_offsets_mapping=True,
        return_attention_mask=False,
        verbose=False,
    )
    found: list[list[tuple[int, Span]] | None] = []
    for anchor, ids, offsets in zip(anchors, encoded["input_ids"], encoded["offset_mapping"], strict=True):
        length = len(anchor)
        if any(first < length < last for first, last in offsets):
            found.append(None)
            continue
        kept = [place for place, (first, last) in enumerate(offsets) if last > length or first >= length]
        behind = kept[0] if kept else len(ids)
        found.append(
            [
                (token, (max(first - length, 0), max(last - length, 0)))
                for token, (first, last) in zip(ids[behind:], offsets[behind:], strict=True)
            ]
        )
    return found
