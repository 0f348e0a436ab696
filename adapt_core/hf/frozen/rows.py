"""The rows of a split, as a frozen part is computed for them and as training then takes them: with their numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

import numpy
import torch

from adapt_core.hf.data.columns import token_lengths
from adapt_core.hf.frozen.values import Span

if TYPE_CHECKING:
    from datasets import Dataset
    from numpy.typing import NDArray

ROW = "frozen_row"
"""The name of a row's number in an example, and of the numbers in a batch."""


_WHOLE: Mapping[int, int] = MappingProxyType({})
_LABELS = ("labels", "start_positions", "end_positions")  # collators expect them


class RowSource(Protocol):
    """The rows of one split. A row of several augmented views is one row for each view."""

    @property
    def key(self) -> str:
        """A fingerprint of the inputs of all rows."""

    @property
    def lengths(self) -> NDArray[numpy.int64] | None:
        """The tokens of each row; None where rows have no tokens."""

    def __len__(self) -> int: ...

    def batches(self, rows: Sequence[Sequence[int]], cuts: Mapping[int, int] = _WHOLE) -> Iterator[Mapping[str, Any]]:
        """Yield batches of the model's inputs.

        Args:
            rows: the numbers of the rows of each batch.
            cuts: row -> how many of its tokens are taken; the others are whole.
        """

    def numbered(self) -> Any:
        """Return the data set for training: its examples have their number as ROW, and what the head needs."""

    def stand_ins(self, rows: int) -> Mapping[str, torch.Tensor]:
        """Return inputs that `numbered` leaves out, since the head needs no more than their shape."""


class TokenRows:
    """Rows of token ids.

    Args:
        rows: with a column `input_ids`.
        collate: examples -> a batch with an attention mask.
        names: the columns that a model may take.
    """

    def __init__(self, rows: Dataset, collate: Callable[[list[Any]], Mapping[str, Any]], names: Sequence[str]) -> None:
        self._rows = rows
        self._collate = collate
        self._inputs = rows.select_columns([name for name in rows.column_names if name in (*names, *_LABELS)])

    @property
    def key(self) -> str:
        """The fingerprint of the encoded rows."""
        return str(self._rows._fingerprint)

    @cached_property
    def lengths(self) -> NDArray[numpy.int64]:
        """The tokens of each row."""
        return token_lengths(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def batches(self, rows: Sequence[Sequence[int]], cuts: Mapping[int, int] = _WHOLE) -> Iterator[Mapping[str, Any]]:
        """Yield collated batches. A row that is cut keeps its first token and its last ones, which are special."""
        for numbers in rows:
            columns = self._inputs[list(numbers)]
            examples = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
            yield self._collate(
                [
                    _cut(example, cuts[number]) if number in cuts else example
                    for number, example in zip(numbers, examples, strict=True)
                ]
            )

    def numbered(self) -> Dataset:
        """Return the rows with a further column ROW."""
        column = numpy.arange(len(self._rows))
        return self._rows.add_column(ROW, column, new_fingerprint=f"{self._rows._fingerprint}-{ROW}")

    def stand_ins(self, rows: int) -> Mapping[str, torch.Tensor]:
        """Return nothing: the head may look at the tokens (for the last of a row)."""
        return {}


def _cut(example: Mapping[str, Any], length: int) -> dict[str, Any]:
    """Return an example with so many of its tokens, at least 1."""
    whole = len(example["input_ids"])
    return {
        name: [*value[:1], *value[whole - length + 1 :]] if isinstance(value, list) and len(value) == whole else value
        for name, value in example.items()
    }


class NumberedBatches:
    """A collator that hands on the numbers of examples that have one.

    Args:
        collate: for everything else.
    """

    def __init__(self, collate: Callable[[list[Any]], Mapping[str, Any]]) -> None:
        self._collate = collate

    def __call__(self, examples: list[Any]) -> Mapping[str, Any]:
        """Return a batch."""
        if ROW not in examples[0]:
            return self._collate(examples)
        batch = self._collate([{name: value for name, value in each.items() if name != ROW} for each in examples])
        return {**batch, ROW: torch.tensor([each[ROW] for each in examples])}


def span_of(inputs: Mapping[str, Any]) -> Span | None:
    """Return the tokens of the rows of a batch by its attention mask, or None where it has none."""
    mask = inputs.get("attention_mask")
    if not isinstance(mask, torch.Tensor) or mask.dim() != 2:
        return None
    present = mask.ne(0)
    return Span(present.long().argmax(1), present.sum(1), mask.shape[1])
