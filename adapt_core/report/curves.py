"""The curves of `metrics.jsonl`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from adapt_core.report.charts import NOT_NEGATIVE, STEPS, UNBOUNDED, Bounds, Chart, Points, Spans, line_chart
from adapt_core.run_folder.metric_lines import INTERVALS

_PLACE = ("phase", "step", "epoch")
_EVALUATIONS = ("before", "eval", "after")


def series(lines: Iterable[Mapping[str, Any]], phases: Sequence[str], name: str) -> Points:
    """Return the points (step, value) of one figure in some phases; of two at one step the later counts."""
    points = {line["step"]: line[name] for line in lines if line["phase"] in phases and line.get(name) is not None}
    return sorted(points.items())


def evaluated(lines: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the names of evaluation metrics, in their order, without the loss."""
    names = [name for line in lines if line["phase"] in _EVALUATIONS for name in line]
    return [name for name in dict.fromkeys(names) if name not in (*_PLACE, "loss", INTERVALS)]


def _spans(lines: Iterable[Mapping[str, Any]], name: str) -> Spans:
    """Return step -> interval of a metric in evaluations; of two at one step the later counts."""
    evaluations = [line for line in lines if line["phase"] in _EVALUATIONS]
    return {line["step"]: line[INTERVALS][name] for line in evaluations if name in line.get(INTERVALS, {})}


def charts_of(lines: Sequence[Mapping[str, Any]], bounds: Mapping[str, Bounds]) -> list[Chart]:
    """Return the loss, each evaluation metric with its intervals, learning rate and gradient norm of one run.

    Args:
        lines: of `metrics.jsonl`.
        bounds: metric -> the values that it can have, where they are known.
    """
    known = {**bounds, "learning rate": NOT_NEGATIVE, "grad norm": NOT_NEGATIVE}
    wanted: list[tuple[str, list[tuple[str, Points]]]] = [
        ("loss", [("training", series(lines, ["train"], "loss")), ("validation", series(lines, _EVALUATIONS, "loss"))]),
    ]
    wanted += [(name, [("", ()), ("validation", series(lines, _EVALUATIONS, name))]) for name in evaluated(lines)]
    wanted += [
        (name.replace("_", " "), [("training", series(lines, ["train"], name))])
        for name in ("learning_rate", "grad_norm")
    ]
    made = (
        line_chart(title, drawn, known.get(title, UNBOUNDED), STEPS, {"validation": _spans(lines, title)})
        for title, drawn in wanted
    )
    return [chart for chart in made if chart is not None]


def overlaid(runs: Sequence[tuple[str, Sequence[Mapping[str, Any]]]], bounds: Mapping[str, Bounds]) -> list[Chart]:
    """Return the loss and each evaluation metric of several runs, a line for each run.

    Args:
        runs: names, and the lines of their `metrics.jsonl`.
        bounds: metric -> the values that it can have, where they are known.
    """
    names = list(dict.fromkeys(name for _, lines in runs for name in evaluated(lines)))
    wanted = [
        ("training loss", ["train"], "loss"),
        ("validation loss", _EVALUATIONS, "loss"),
        *((f"validation {name}", _EVALUATIONS, name) for name in names),
    ]
    made = (
        line_chart(title, [(run, series(lines, phases, name)) for run, lines in runs], bounds.get(name, UNBOUNDED))
        for title, phases, name in wanted
    )
    return [chart for chart in made if chart is not None]
