"""Plain text tables for the terminal and for pipes, as wide as the terminal."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from adapt_core.runtime.format import with_interval
from adapt_core.runtime.plain_text import in_one_line

if TYPE_CHECKING:
    from adapt_core.result import RunResult

_NARROWEST = 10
_WITHOUT_TERMINAL = 80
_GAP = "  "


def table(rows: Sequence[Sequence[str]], indent: str = "") -> str:
    """Return rows as left-aligned columns; the first row is the heading.

    Cells are broken into lines where the columns are wider than the terminal: COLUMNS, or 80 where there is none.
    """
    rows = [[in_one_line(cell) for cell in row] for row in rows]
    natural = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    widths = _fitting(natural, _columns() - len(indent) - len(_GAP) * (len(natural) - 1))
    heading, *others = [_lines(row, widths) for row in rows]
    rule = _GAP.join("-" * width for width in widths)
    return "\n".join(indent + line for line in (*heading, rule, *(line for lines in others for line in lines)))


def paragraph(text: str) -> str:
    """Return text broken into lines as wide as the terminal; its own line breaks stay, and so do words and paths."""
    width = _columns()
    return "\n".join(
        textwrap.fill(line, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
        for line in text.split("\n")
    )


def _columns() -> int:
    """Return what shutil.get_terminal_size says, whose import takes 3 % of the time of `adapt plugins`."""
    given = os.environ.get("COLUMNS", "")
    if given.isdecimal() and int(given):
        return int(given)
    stream = sys.__stdout__
    try:
        return (os.get_terminal_size(stream.fileno()).columns if stream else 0) or _WITHOUT_TERMINAL
    except (ValueError, OSError):  # It is closed, or a pipe or a file.
        return _WITHOUT_TERMINAL


def _fitting(widths: Sequence[int], room: int) -> list[int]:
    """Return widths whose sum is `room` at most: the widest columns give way, down to the narrowest."""
    found = list(widths)
    while sum(found) > room and max(found) > _NARROWEST:
        found[found.index(max(found))] -= 1
    return found


def _lines(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    """Return the lines that a row takes."""
    cells = [
        textwrap.wrap(cell, width, break_on_hyphens=False) if len(cell) > width else [cell]
        for cell, width in zip(row, widths, strict=True)
    ]
    depth = max(map(len, cells))
    filled = [[*cell, *[""] * (depth - len(cell))] for cell in cells]
    return [
        _GAP.join(part.ljust(width) for part, width in zip(parts, widths, strict=True)).rstrip()
        for parts in zip(*filled, strict=True)
    ]


def metrics_table(result: RunResult) -> str:
    """Return the before/after table of a run."""
    for word, found in (("fold", result.folds), ("seed", result.seeds)):
        if found:
            from adapt_core.report.repeated_runs import spread_rows

            return table(spread_rows(found, word))
    columns = [name for name in ("before", "after", "test") if result.metrics.get(name)]
    if not columns:
        return "nothing was evaluated"
    names = list(dict.fromkeys(name for column in columns for name in result.metrics[column] or {}))
    rows = [["metric", *columns]]
    for name in names:
        cells = [(result.metrics[column] or {}).get(name) for column in columns]
        held = [result.intervals.get(column, {}).get(name) for column in columns]
        rows.append([name, *(with_interval(*pair) for pair in zip(cells, held, strict=True))])
    return table(rows) + ("\n(In brackets: 95 % intervals.)" if result.intervals else "")
