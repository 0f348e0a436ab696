"""Examples for `adapt check`, and samples for the report: prompts of validation rows and generated continuations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from adapt_core.config.plan import Plan
from adapt_core.contracts import TaskData
from adapt_core.hf.data.labels import IGNORED
from adapt_core.hf.tasks.preview import LabelledTokens, example_tokens, spread_examples

from adapt_nlp.params import TextGenerationParams
from adapt_nlp.text_generation.predict import generate_texts
from adapt_nlp.text_generation.row_formats import RowFormat
from adapt_nlp.text_generation.row_texts import RowTexts

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedTokenizerBase

MAX_SAMPLES = 3
"""Few, because a model generates token by token while the run waits."""

_MAX_NEW_TOKENS = 32


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
    texts = RowTexts(row_format, plan, tokenizer)
    pairs = [(prompt, expected) for prompt, expected in map(texts.split, rows) if prompt.text]
    if not pairs:
        return []
    prompts = {f"sample {number}": prompt for number, (prompt, _) in enumerate(pairs, start=1)}
    params, most = plan.task.params, min(_MAX_NEW_TOKENS, plan.task.params.max_new_tokens)
    generated = generate_texts(model, tokenizer, prompts, params, is_chat=row_format.is_chat, max_new_tokens=most)
    return [
        {"input": prompt.text, "expected": expected, "predicted": text}
        for (prompt, expected), text in zip(pairs, generated, strict=True)
    ]
