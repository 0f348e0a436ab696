"""Examples and class counts for `adapt check`, and samples for the report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from adapt_core.contracts import TaskData
from adapt_core.hf.data.columns import column_values
from adapt_core.hf.tasks.preview import LabelledTokens, count_labels, example_tokens, spread_examples

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from adapt_nlp.text_classification.predict import ClassifiedText


def labelled_texts(tokenizer: PreTrainedTokenizerBase, data: TaskData, count: int) -> list[LabelledTokens]:
    """Return the tokens of at most `count` training texts, each followed by its class."""
    names = data.labels or ()
    return [
        [*((token, "") for token in example_tokens(tokenizer, example)), ("", names[example["labels"]])]
        for example in spread_examples(data, count)
    ]


def class_counts(data: TaskData) -> dict[str, int]:
    """Return the number of training texts of each class."""
    return count_labels(column_values(data.train, "labels"), data.labels or ())


def as_samples(truth: Sequence[str], predicted: Sequence[ClassifiedText]) -> list[dict[str, Any]]:
    """Return {"input", "expected", "predicted", "right"} of texts; "predicted" has the class's probability.

    Args:
        truth: the class of each text.
        predicted: the model's.
    """
    return [
        {
            "input": found["text"],
            "expected": label,
            "predicted": f"{found['label']} ({found['score']:.2f})",
            "right": found["label"] == label,
        }
        for label, found in zip(truth, predicted, strict=True)
    ]
