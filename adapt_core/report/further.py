"""The table of further data sets before and after training: what the model forgets, or gains, beside its task."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from adapt_core.evaluation import direction_of, further_split
from adapt_core.result import RunResult
from adapt_core.runtime.format import score, with_interval

HEADING = ("data set", "metric", "before", "after", "change")


@attrs.frozen
class FurtherRow:
    """A metric of a data set in words, and whether its change is "better", "worse" or neither ("")."""

    cells: tuple[str, ...]
    verdict: str


def further_section(result: RunResult, directions: Mapping[str, str] | None = None) -> list[FurtherRow]:
    """Return a row for each metric of each data set.

    Args:
        result: of a run.
        directions: metric -> "higher" or "lower"; None says nothing of better and worse.
    """
    rows = []
    for name, moments in result.also.items():
        held = result.intervals.get(further_split(name), {})
        before, after = (moments.get(moment) or {} for moment in ("before", "after"))
        for metric in dict.fromkeys((*before, *after)):
            pair = (before.get(metric), after.get(metric))
            change = None if pair[0] is None or pair[1] is None else pair[1] - pair[0]
            direction = direction_of(metric, directions or {})
            better = (change or 0) > 0 if direction == "higher" else (change or 0) < 0
            verdict = "" if not change or direction is None else "better" if better else "worse"
            cells = [with_interval(value, None) for value in pair]
            last = 0 if pair[1] is None else 1
            cells[last] = with_interval(pair[last], held.get(metric))
            rows.append(FurtherRow((name, metric, *cells, "" if change is None else score(change, "+")), verdict))
    return rows
