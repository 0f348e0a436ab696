"""The text of a row: that of a column, or FORMAT_STRING applied to several."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from adapt_core.config.plan import Plan
from adapt_core.hf.data.columns import column_values, format_columns, format_row, text_fault

if TYPE_CHECKING:
    from datasets import Dataset


class TextFieldParams(Protocol):
    """The parameter of a task that names its default text column."""

    @property
    def dataset_text_field(self) -> str:
        """The column of the text where input_column is not given."""


def input_column(plan: Plan[TextFieldParams]) -> str:
    """Return the column of the text: input_column, or dataset_text_field where it is not given."""
    return str(plan.data.input_column or plan.task.params.dataset_text_field)


def text_columns(plan: Plan[TextFieldParams]) -> list[tuple[str, str]]:
    """Return the columns that the text needs, each with the key that names it, as `require_columns` takes them."""
    if plan.data.format_string:
        return [(name, "FORMAT_STRING") for name in format_columns(plan.data)]
    return [(input_column(plan), "input_column")]


def row_text(row: Mapping[str, Any], plan: Plan[TextFieldParams]) -> str:
    """Return the text of a row, as the model gets it."""
    return str(format_row(row, plan.data) if plan.data.format_string else row[input_column(plan)])


def batch_texts(batch: Mapping[str, Sequence[Any]], plan: Plan[TextFieldParams]) -> list[str]:
    """Return the texts of a batch of columns."""
    if not plan.data.format_string:
        return list(batch[input_column(plan)])
    names = [name for name, _ in text_columns(plan)]
    rows = zip(*(batch[name] for name in names), strict=True)
    return [row_text(dict(zip(names, row, strict=True)), plan) for row in rows]


def text_faults(
    dataset: Dataset, plan: Plan[TextFieldParams], further: Callable[[str], str | None] = lambda _text: None
) -> Iterator[str | None]:
    """Yield for each row what is wrong with its text, or None.

    Args:
        dataset: one split.
        plan: the plan.
        further: a text -> what a task finds wrong with it ("contains ..."), or None.
    """
    texts: Iterable[object]
    if plan.data.format_string:
        rows = dataset.select_columns(format_columns(plan.data))
        texts = (format_row(row, plan.data) for row in rows)
        where = "every column of FORMAT_STRING"
    else:
        texts = column_values(dataset, input_column(plan))
        where = f"column {input_column(plan)!r}"
    for text in texts:
        fault = text_fault(text) or further(str(text))
        yield f"{where} {fault}" if fault else None
