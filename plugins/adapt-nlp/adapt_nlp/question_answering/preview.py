"""Examples for `adapt check`, and samples for the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from adapt_core.config.plan import Plan
from adapt_core.contracts import TaskData
from adapt_core.hf.tasks.preview import LabelledTokens, example_tokens, spread_examples

from adapt_nlp.params import QuestionAnsweringParams
from adapt_nlp.question_answering.data import columns, gold_answers
from adapt_nlp.question_answering.metrics import exact_match

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from adapt_nlp.question_answering.predict import Answer

NO_ANSWER = "(no answer)"
"""The text that samples show for an unanswerable question."""


def labelled_windows(tokenizer: PreTrainedTokenizerBase, data: TaskData, count: int) -> list[LabelledTokens]:
    """Return the tokens of at most `count` training windows, those of the answer labelled."""
    shown = []
    for example in spread_examples(data, count):
        first, last = example["start_positions"], example["end_positions"]
        tokens = example_tokens(tokenizer, example)
        shown.append([(token, "answer" if first <= place <= last else "") for place, token in enumerate(tokens)])
    return shown


def as_samples(
    rows: Sequence[Mapping[str, Any]], predicted: Sequence[Answer], plan: Plan[QuestionAnsweringParams]
) -> list[dict[str, Any]]:
    """Return samples of rows: question and context, first gold answer, the model's; right if any gold one matches."""
    context, question, answers = columns(plan)
    samples = []
    for row, found in zip(rows, predicted, strict=True):
        gold = gold_answers(row[answers])
        samples.append(
            {
                "input": {"question": row[question], "context": row[context]},
                "expected": gold[0][0] if gold else NO_ANSWER,
                "predicted": found["answer"] or NO_ANSWER,
                "right": any(exact_match(found["answer"], text) for text in ([text for text, _ in gold] or [""])),
            }
        )
    return samples
