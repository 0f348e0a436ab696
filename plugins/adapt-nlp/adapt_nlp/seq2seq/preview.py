"""Examples for `adapt check`, and samples for the report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from adapt_core.contracts import TaskData
from adapt_core.hf.tasks.preview import LabelledTokens, example_tokens, spread_examples

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def tokenized_pairs(tokenizer: PreTrainedTokenizerBase, data: TaskData, count: int) -> list[LabelledTokens]:
    """Return the source tokens of at most `count` training pairs, each followed by the target's tokens as text."""
    return [
        [
            *((token, "") for token in example_tokens(tokenizer, example)),
            ("", " ".join(tokenizer.convert_ids_to_tokens(example["labels"]))),
        ]
        for example in spread_examples(data, count)
    ]


def as_samples(pairs: Sequence[tuple[str, str]], generated: Sequence[str]) -> list[dict[str, Any]]:
    """Return {"input", "expected", "predicted"} of (source, target) pairs."""
    return [
        {"input": source, "expected": target, "predicted": text}
        for (source, target), text in zip(pairs, generated, strict=True)
    ]
