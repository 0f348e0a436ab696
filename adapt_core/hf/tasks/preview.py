"""Inputs of a language task's model: its largest batch, random texts, and examples as the model sees them."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from adapt_core.contracts import TaskData
from adapt_core.evaluation import spread
from adapt_core.hf.data.columns import column_values

if TYPE_CHECKING:
    import torch
    from torch import nn
    from transformers import PreTrainedTokenizerBase

LabelledTokens = list[tuple[str, str]]
"""(token, label) pairs of an example; the label is empty where a token has none."""


_TEXTS, _TOKENS = 4, 16


def longest_batch(data: TaskData, collate: Callable[[list[Any]], Mapping[str, Any]], size: int) -> Mapping[str, Any]:
    """Return the batch of the longest training examples.

    Args:
        data: its training split has `input_ids`.
        collate: examples -> batch.
        size: examples in a batch.
    """
    import numpy

    lengths = numpy.fromiter((len(ids) for ids in column_values(data.train, "input_ids")), dtype=int)
    longest = numpy.argsort(-lengths, kind="stable")[:size]
    return collate([data.train[int(number)] for number in longest])


def random_texts(tokenizer: PreTrainedTokenizerBase, model: nn.Module) -> dict[str, torch.Tensor]:
    """Return a few texts of random tokens as inputs of a model, a decoder's included; the same ones at each call."""
    import torch

    words = torch.tensor(sorted(set(range(len(tokenizer))) - set(tokenizer.all_special_ids)))
    chosen = torch.randint(len(words), (_TEXTS, _TOKENS), generator=torch.Generator().manual_seed(0))
    # From texts, so that the tokenizer adds its special tokens: some models look for them.
    texts = tokenizer.batch_decode(words[chosen].tolist())
    batch = dict(tokenizer(texts, truncation=True, max_length=_TOKENS, padding=True, return_tensors="pt"))
    if "decoder_input_ids" in inspect.signature(model.forward).parameters:
        batch["decoder_input_ids"] = batch["input_ids"]
    return batch


def spread_examples(data: TaskData, count: int) -> list[dict[str, Any]]:
    """Return at most `count` training examples, evenly spaced."""
    return [data.train[number] for number in spread(len(data.train), count)]


def spread_batches(
    model: nn.Module, data: TaskData, collate: Callable[[list[Any]], Mapping[str, Any]], rows: int, size: int
) -> list[Mapping[str, Any]]:
    """Return evenly spaced training examples in batches, with what the model's `forward` takes alone.

    Args:
        model: a model of transformers.
        data: with a training split.
        collate: examples -> batch.
        rows: examples at most.
        size: examples in a batch.
    """
    examples = spread_examples(data, rows)
    taken = inspect.signature(model.forward).parameters
    batches = [collate(examples[start : start + size]) for start in range(0, len(examples), size)]
    return [{name: value for name, value in batch.items() if name in taken} for batch in batches]


def example_tokens(tokenizer: PreTrainedTokenizerBase, example: Mapping[str, Any]) -> list[str]:
    """Return the tokens of an example, special ones included."""
    tokens: list[str] = tokenizer.convert_ids_to_tokens(example["input_ids"])
    return tokens


def count_labels(labels: Iterable[int], names: Sequence[str]) -> dict[str, int]:
    """Return the number of labels of each class; labels of no class (IGNORED) are not counted."""
    counts = Counter(labels)
    return {name: counts[number] for number, name in enumerate(names)}
