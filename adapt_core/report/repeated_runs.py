"""The results of several runs: mean, standard deviation and a 95 % interval of each metric."""

from __future__ import annotations

import math
import statistics
import textwrap
from collections.abc import Mapping, Sequence
from typing import TypedDict

from adapt_core.report import markdown
from adapt_core.result import RunResult
from adapt_core.runtime.format import score

MOMENTS = {"before": "before", "after": "validation", "test": "test"}
"""Moment of a result -> what tables call it."""


class Spread(TypedDict):
    """A metric over k runs.

    Attributes:
        mean: over the runs.
        std: standard deviation of a run (with k - 1); null for fewer than two finite values.
        low, high: of the 95 % interval of the mean, by Student's t with k - 1 degrees of freedom.
        values: in the order of the runs.
    """

    mean: float
    std: float
    low: float
    high: float
    values: list[float]


def spread_of(values: Sequence[float]) -> Spread:
    """Return mean, standard deviation and 95 % interval of a metric's values, two or more."""
    from scipy.stats import t

    mean, std = statistics.fmean(values), math.nan
    if all(map(math.isfinite, values)) and len(values) > 1:
        std = statistics.stdev(values)
    half = float(t.ppf(0.975, len(values) - 1)) * std / math.sqrt(len(values))
    return {"mean": mean, "std": std, "low": mean - half, "high": mean + half, "values": list(values)}


def spreads(results: Sequence[RunResult]) -> dict[str, dict[str, Spread]]:
    """Return moment -> metric -> its values over the runs, for what each of them measured."""
    found: dict[str, dict[str, Spread]] = {}
    for moment in MOMENTS:
        measured = [result.metrics.get(moment) or {} for result in results]
        names = [name for name in measured[0] if all(name in metrics for metrics in measured)]
        if names:
            found[moment] = {name: spread_of([metrics[name] for metrics in measured]) for name in names}
    return found


def spread_rows(found: Mapping[str, Mapping[str, Spread]], word: str) -> list[list[str]]:
    """Return the table of several runs: its head, and a row for each metric of each moment.

    Args:
        found: what `spreads` returned.
        word: what a run is called ("fold").
    """
    rows = [["metric", "mean", "std", "95 % interval", f"{word}s"]]
    for moment, metrics in found.items():
        for name, one in metrics.items():
            interval = f"{score(one['low'])} to {score(one['high'])}"
            values = ", ".join(map(score, one["values"]))
            rows.append([f"{MOMENTS[moment]} {name}", score(one["mean"]), score(one["std"]), interval, values])
    return rows


def repeated_card(
    title: str, result: RunResult, found: Mapping[str, Mapping[str, Spread]], word: str, note: str
) -> str:
    """Return the `README.md` of several runs.

    Args:
        title: what was adapted, in words.
        result: of the whole.
        found: what `spreads` returned.
        word: what a run is called.
        note: on the intervals.
    """
    folders = ", ".join(markdown.code(path) for path in result.artifacts.values())
    head, *rows = spread_rows(found, word)
    lines = [f"| {' | '.join(head)} |", "|---|---:|---:|---:|---|"]
    lines += [f"| {' | '.join(markdown.text(cell) for cell in row)} |" for row in rows]
    return "\n".join(
        [
            f"# {markdown.text(title)}",
            "",
            f"Each {word}'s model is a run of its own: {folders}.",
            "",
            *lines,
            "",
            *textwrap.wrap(note, 110),
            "",
        ]
    )
