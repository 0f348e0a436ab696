"""Plain text tables for the terminal and for pipes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from adapt_core.result import RunResult


def table(rows: Sequence[Sequence[str]], indent: str = "") -> str:
    """Return rows as left-aligned columns; the first row is the heading."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    rule = "  ".join("-" * width for width in widths)
    return "\n".join(indent + line for line in (lines[0], rule, *lines[1:]))


def metrics_table(result: RunResult) -> str:
    """Return the before/after table of a run."""
    columns = [name for name in ("before", "after", "test") if result.metrics.get(name)]
    if not columns:
        return "nothing was evaluated"
    names = list(dict.fromkeys(name for column in columns for name in result.metrics[column] or {}))
    rows = [["metric", *columns]]
    for name in names:
        cells = [(result.metrics[column] or {}).get(name) for column in columns]
        rows.append([name, *("" if cell is None else f"{cell:.4f}" for cell in cells)])
    return table(rows)
