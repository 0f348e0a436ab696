"""The rows of a split as checks of the data see them: texts, classes, groups, and the number of each row."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from adapt_core.config.plan import Plan
from adapt_core.contracts import Examples
from adapt_core.evaluation import spread
from adapt_core.hf.data.columns import column_values

if TYPE_CHECKING:
    from datasets import Dataset

    from adapt_core.hf.data.rows import Encoding

MOST = 100_000
"""Rows of a split that are held in memory for checks; of a larger split evenly spaced ones are."""


def examples_of(rows: Dataset, encoding: Encoding, plan: Plan, raw: Mapping[str, Dataset], split: str) -> Examples:
    """Return the rows of a split as examples.

    Args:
        rows: the good rows that the run uses.
        encoding: what their texts, targets and labels are.
        plan: for GROUP_COLUMN.
        raw: the splits as they were read, for the numbers of the rows.
        split: its name.
    """
    total = len(rows)
    read_from, numbers = numbers_of(rows, raw, split)
    if total > MOST:
        chosen = spread(total, MOST)
        numbers = [numbers[position] for position in chosen] if numbers else []
        rows = rows.select(chosen)
    columns: dict[str, list[Any]] = {name: [] for name in ("texts", "contexts", "targets", "labels", "parts")}
    for row in rows:
        if encoding.texts is not None:
            texts = encoding.texts(row)
            columns["texts"].append(texts[0] if encoding.context is not None else "\n".join(texts))
        for name, of_row in (("contexts", encoding.context), ("labels", encoding.labels), ("parts", encoding.words)):
            if of_row is not None:
                columns[name].append(of_row(row))
        if encoding.targets is not None:
            columns["targets"].append("\n".join(encoding.targets(row)))
    return Examples(
        **columns,
        groups=groups_of(rows, plan),
        numbers=numbers,
        read_from=read_from,
        total=total if total > MOST else None,
    )


def groups_of(rows: Dataset, plan: Plan) -> list[Hashable]:
    """Return the values of GROUP_COLUMN; none without the key, or where a split that is not trained on lacks it."""
    column = plan.data.group_column
    if column is None or column not in rows.column_names:
        return []
    return groups_in(rows, column)


def groups_in(rows: Dataset, column: str) -> list[Hashable]:
    """Return the values of a column as groups, a list or mapping as its text. An empty cell is of no group: None."""
    cells = (None if cell is None or cell == "" else cell for cell in column_values(rows, column))
    return [cell if isinstance(cell, Hashable) else repr(cell) for cell in cells]


def numbers_of(rows: Dataset, raw: Mapping[str, Dataset], split: str) -> tuple[str | None, Sequence[int]]:
    """Return the split that rows were read from, and the number of each in it, from 1; (None, []) if it is not known.

    Args:
        rows: chosen of a split in any number of steps.
        raw: the splits as they were read; validation may have been held out from training.
        split: the name of the split that the rows are.
    """
    read_from = split if split in raw else "train"
    origin = raw.get(read_from)
    if origin is None or origin._indices is not None or rows._data.num_rows != len(origin):
        return None, []  # a slice of the table: its beginning is not kept
    if rows._indices is None:
        return read_from, range(1, len(rows) + 1)
    return read_from, [number + 1 for number in rows._indices.column(0).to_pylist()]
