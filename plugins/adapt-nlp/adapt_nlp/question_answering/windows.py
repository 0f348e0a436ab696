"""Question and context as overlapping windows of tokens, and the tokens of an answer in a window."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@attrs.frozen
class Windows:
    """The windows of one or more questions, one entry of each list a window.

    Attributes:
        encoding: the model's inputs by name, without padding.
        rows: the index of the question.
        starts, ends: the first character of each token in the context and the one after its last; -1 for tokens
            outside the context.
        nulls: the index of the token that means "no answer": [CLS] (Devlin et al., 2019), or the first token of a
            model without it.
    """

    encoding: dict[str, list[list[int]]]
    rows: list[int]
    starts: list[list[int]]
    ends: list[list[int]]
    nulls: list[int]

    def __len__(self) -> int:
        return len(self.nulls)


def cut_windows(
    tokenizer: PreTrainedTokenizerBase, questions: Sequence[str], contexts: Sequence[str], limit: int, stride: int
) -> Windows:
    """Return the windows of pairs of question and context.

    Args:
        tokenizer: a fast one.
        questions: one for each context.
        contexts: any length.
        limit: the longest window in tokens.
        stride: the tokens of context that two consecutive windows share.
    """
    encoded = tokenizer(
        [question.strip() for question in questions],
        list(contexts),
        truncation="only_second",
        max_length=limit,
        stride=stride,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
    )
    rows, offsets = encoded.pop("overflow_to_sample_mapping"), encoded.pop("offset_mapping")
    starts, ends, nulls = [], [], []
    for number, spans in enumerate(offsets):
        in_context = [sequence == 1 for sequence in encoded.sequence_ids(number)]
        starts.append([span[0] if inside else -1 for span, inside in zip(spans, in_context, strict=True)])
        ends.append([span[1] if inside else -1 for span, inside in zip(spans, in_context, strict=True)])
        ids = encoded["input_ids"][number]
        cls = tokenizer.cls_token_id
        nulls.append(ids.index(cls) if cls in ids else 0)
    return Windows(dict(encoded), rows, starts, ends, nulls)


def answer_tokens(
    gold: tuple[str, int] | None, starts: Sequence[int], ends: Sequence[int], null: int
) -> tuple[int, int]:
    """Return the first and last token of an answer; `null` twice where the window does not contain all of it.

    Args:
        gold: (text, its first character in the context), or None for an unanswerable question.
        starts, ends, null: of the window, see `Windows`.
    """
    inside = [token for token, start in enumerate(starts) if start >= 0]
    if gold is None or not inside:
        return null, null
    first, last = gold[1], gold[1] + len(gold[0])
    if starts[inside[0]] > first or ends[inside[-1]] < last:
        return null, null
    begin = max(token for token in inside if starts[token] <= first)
    stop = min(token for token in inside if ends[token] >= last)
    return begin, stop
