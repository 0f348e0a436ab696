"""The text of a row: a column's, or what FORMAT_STRING makes of several."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from adapt_core.config.plan import Plan
from adapt_core.hf.data.columns import column_values, format_columns, format_row, text_fault

if TYPE_CHECKING:
    from datasets import Dataset


def input_column(plan: Plan) -> str:
    """The column of the text: input_column, else what the task's dataset_text_field names."""
    return str(plan.data.input_column or plan.task.params.dataset_text_field)


def text_columns(plan: Plan) -> list[tuple[str, str]]:
    """The columns that a text is made of, each with the key that named it, as `require_columns` takes them."""
    if plan.data.format_string:
        return [(name, "FORMAT_STRING") for name in format_columns(plan.data)]
    return [(input_column(plan), "input_column")]


def row_text(row: Mapping[str, Any], plan: Plan) -> str:
    """The text of a row that the model sees."""
    return str(format_row(dict(row), plan.data) if plan.data.format_string else row[input_column(plan)])


def batch_texts(batch: Mapping[str, list[Any]], plan: Plan) -> list[str]:
    """The texts of a batch of columns."""
    if not plan.data.format_string:
        return batch[input_column(plan)]
    names = [name for name, _ in text_columns(plan)]
    rows = zip(*(batch[name] for name in names), strict=True)
    return [row_text(dict(zip(names, row, strict=True)), plan) for row in rows]


def text_faults(dataset: Dataset, plan: Plan) -> Iterator[str | None]:
    """For each row what is wrong with its text, or None."""
    if plan.data.format_string:
        rows = dataset.select_columns(format_columns(plan.data))
        texts: Any = (format_row(row, plan.data) for row in rows)
        where = "every column of FORMAT_STRING"
    else:
        texts = column_values(dataset, input_column(plan))
        where = f"column {input_column(plan)!r}"
    for text in texts:
        fault = text_fault(text)
        yield f"{where} {fault}" if fault else None
