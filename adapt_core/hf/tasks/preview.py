"""What `adapt check` shows of a task on a language model: the largest batch, and examples as the model sees them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from adapt_core.contracts import TaskData
from adapt_core.evaluation import spread
from adapt_core.hf.data.columns import column_values

IGNORED = -100


def longest_batch(data: TaskData, collate: Callable[[list[Any]], Mapping[str, Any]], rows: int) -> Mapping[str, Any]:
    """The batch of the longest training examples.

    Args:
        data: with a training split of `input_ids`.
        collate: examples -> batch.
        rows: examples of a batch.
    """
    import numpy

    lengths = numpy.fromiter((len(ids) for ids in column_values(data.train, "input_ids")), dtype=int)
    longest = numpy.argsort(-lengths, kind="stable")[:rows]
    return collate([data.train[int(number)] for number in longest])


def spread_examples(data: TaskData, count: int) -> list[dict[str, Any]]:
    """A few training examples, evenly spaced."""
    return [data.train[number] for number in spread(len(data.train), count)]


def example_tokens(tokenizer: Any, example: Mapping[str, Any]) -> list[str]:
    """The tokens of an example, special ones included."""
    tokens: list[str] = tokenizer.convert_ids_to_tokens(example["input_ids"])
    return tokens


def count_labels(labels: Iterable[int], names: Sequence[str]) -> dict[str, int]:
    """How often each class stands in the labels; those that are ignored do not count."""
    counts = Counter(labels)
    return {name: counts[number] for number, name in enumerate(names)}
