"""Examples for `adapt check`, and samples for the report: prompts of validation rows and generated continuations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from adapt_core.config.plan import Plan
from adapt_core.contracts import TaskData
from adapt_core.hf.data.labels import IGNORED
from adapt_core.hf.tasks.preview import LabelledTokens, example_tokens, spread_examples

from adapt_nlp.params import TextGenerationParams
from adapt_nlp.text_generation.chat import render
from adapt_nlp.text_generation.predict import generate_texts
from adapt_nlp.text_generation.row_formats import RowFormat, conversation, trained_texts

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedTokenizerBase

MAX_SAMPLES = 3
"""Few, because a model generates token by token while the run waits."""

_MAX_NEW_TOKENS = 32
_MAX_CHARACTERS = 400
"""The longest prompt, and the longest expected continuation, of a plain text."""


def labelled_documents(tokenizer: PreTrainedTokenizerBase, data: TaskData, count: int) -> list[LabelledTokens]:
    """Return the tokens of at most `count` training documents; where not all are targets, those that are labelled."""
    shown = []
    for example in spread_examples(data, count):
        targets = [label != IGNORED for label in example["labels"]]
        mark = "" if all(targets[1:]) else "learned"
        tokens = example_tokens(tokenizer, example)
        shown.append([(token, mark if is_target else "") for token, is_target in zip(tokens, targets, strict=True)])
    return shown


def continuation_samples(
    model: nn.Module,
    tokenizer: PreTrainedTokenizerBase,
    rows: Sequence[Mapping[str, Any]],
    row_format: RowFormat,
    plan: Plan[TextGenerationParams],
) -> list[dict[str, Any]]:
    """Return {"input", "expected", "predicted"} of rows: prompt, its continuation, the model's.

    Args:
        model: in evaluation mode.
        tokenizer: with the chat template of the training data.
        rows: good rows.
        row_format: of the rows.
        plan: for the decoding.
    """
    pairs = [split_row(row, row_format, plan, tokenizer) for row in rows]
    prompts = {f"sample {number}": prompt for number, (prompt, _) in enumerate(pairs, start=1)}
    generated = generate_texts(
        model, tokenizer, prompts, plan.task.params, is_chat=row_format.is_chat, max_new_tokens=_MAX_NEW_TOKENS
    )
    return [
        {"input": prompt, "expected": expected, "predicted": text}
        for (prompt, expected), text in zip(pairs, generated, strict=True)
    ]


def split_row(
    row: Mapping[str, Any],
    row_format: RowFormat,
    plan: Plan[TextGenerationParams],
    tokenizer: PreTrainedTokenizerBase,
) -> tuple[str, str]:
    """Return a row as prompt and continuation: its last answer, or the second half of a plain text."""
    if row_format.is_chat:
        turns = conversation(row, row_format)
        last = max((number for number, turn in enumerate(turns) if turn["role"] == "assistant"), default=len(turns))
        answer = turns[last]["content"] if last < len(turns) else ""
        return render(tokenizer, turns[:last], answer_follows=True), answer
    text, _ = trained_texts(row, row_format, plan, tokenizer)[0]
    if row_format.kind == "pairs":
        answer = str(row[row_format.names[-1]])
        return text[: len(text) - len(answer)], answer
    half = max(1, min(len(text) // 2, _MAX_CHARACTERS))
    space = text.rfind(" ", 0, half)
    start = space if space > 0 else half
    return text[:start], text[start : start + _MAX_CHARACTERS]
