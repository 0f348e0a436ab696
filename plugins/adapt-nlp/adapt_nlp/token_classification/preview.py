"""Examples and tag counts for `adapt check`, and samples for the report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from adapt_core.contracts import TaskData
from adapt_core.hf.data.columns import column_values
from adapt_core.hf.data.labels import IGNORED
from adapt_core.hf.tasks.preview import LabelledTokens, count_labels, example_tokens, spread_examples

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from adapt_nlp.token_classification.predict import TaggedWords


def labelled_tokens(tokenizer: PreTrainedTokenizerBase, data: TaskData, count: int) -> list[LabelledTokens]:
    """Return the sub-tokens of at most `count` training windows with the tags that they are trained on."""
    names = data.labels or ()
    return [
        [
            (token, "" if label == IGNORED else names[label])
            for token, label in zip(example_tokens(tokenizer, example), example["labels"], strict=True)
        ]
        for example in spread_examples(data, count)
    ]


def tag_counts(data: TaskData) -> dict[str, int]:
    """Return the number of training words of each tag."""
    labels = (label for row in column_values(data.train, "labels") for label in row)
    return count_labels(labels, data.labels or ())


def as_samples(truth: Sequence[Sequence[str]], predicted: Sequence[TaggedWords]) -> list[dict[str, Any]]:
    """Return the samples of documents; "expected" and "predicted" are [word, tag] pairs, "found" counts tags but O.

    Args:
        truth: the tags of each document.
        predicted: the model's.
    """
    return [
        {
            "input": " ".join(found["tokens"]),
            "expected": [[word, tag] for word, tag in zip(found["tokens"], tags, strict=True)],
            "predicted": [[word, tag] for word, tag in zip(found["tokens"], found["tags"], strict=True)],
            "right": list(tags) == found["tags"],
            "found": sum(tag != "O" for tag in found["tags"]),
        }
        for tags, found in zip(truth, predicted, strict=True)
    ]
