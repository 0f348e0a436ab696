"""Examples for `adapt check`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapt_core.contracts import TaskData
from adapt_core.hf.problems.problem import Problem
from adapt_core.hf.tasks.preview import LabelledTokens, example_tokens, spread_examples

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def labelled_texts(
    tokenizer: PreTrainedTokenizerBase, data: TaskData, count: int, problem: Problem
) -> list[LabelledTokens]:
    """Return the tokens of at most `count` training texts, each followed by its labels or numbers."""
    return [
        [
            *((token, "") for token in example_tokens(tokenizer, example)),
            *(("", name) for name in problem.expected(example["labels"])),
        ]
        for example in spread_examples(data, count)
    ]
