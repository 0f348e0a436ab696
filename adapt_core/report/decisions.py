"""What predictions decide by, in words and as reliability curves: for the terminal, the model card and the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from adapt_core.report.charts import Along, Bounds, Chart, line_chart
from adapt_core.runtime.format import figure

_SHARE: Bounds = (0.0, 1.0)
_CONFIDENCE = Along("confidence", "over confidence", whole=False, bounds=_SHARE)
_SPLITS = ("validation", "test")
_LISTED = 12


@attrs.frozen
class DecisionSection:
    """The section of decisions: sentences, and a reliability curve for each split."""

    lines: tuple[str, ...]
    charts: tuple[Chart, ...]


def decision_section(decisions: Mapping[str, Mapping[str, Any]]) -> DecisionSection | None:
    """Return the section; None where predictions decide by nothing that was tuned.

    Args:
        decisions: as in `RunResult`.
    """
    lines = decision_lines(decisions)
    calibration = decisions.get("calibration", {})
    drawn = [_reliability(split, calibration[split]) for split in _SPLITS if split in calibration]
    return DecisionSection(tuple(lines), tuple(chart for chart in drawn if chart is not None)) if lines else None


def decision_lines(decisions: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return a sentence or two for each decision.

    Args:
        decisions: as in `RunResult`.
    """
    words = {"calibration": _calibration, "abstain": _abstain, "thresholds": _thresholds}
    return [words[name](taken) for name, taken in decisions.items() if name in words]


def _calibration(taken: Mapping[str, Any]) -> str:
    temperature = figure(float(f"{taken['temperature']:.3g}"))
    errors = [
        f"{taken[split]['before']['ece']:.4f} without it, {taken[split]['after']['ece']:.4f} with it on the "
        f"{figure(taken[split]['rows'])} {split} rows"
        for split in _SPLITS
        if split in taken
    ]
    if taken["reason"]:
        own = f"; its expected calibration error is {_plain(taken)}" if errors else ""
        return f"calibration: none, for {taken['reason']}{own}."
    return f"calibration: temperature {temperature}; the expected calibration error is {', '.join(errors)}."


def _plain(taken: Mapping[str, Any]) -> str:
    found = [f"{taken[split]['before']['ece']:.4f} on the {split} rows" for split in _SPLITS if split in taken]
    return ", ".join(found)


def _abstain(taken: Mapping[str, Any]) -> str:
    if taken["least_confidence"] is None:
        return f"abstention: none, for the validation rows do not show a precision of {figure(taken['precision'])}."
    answered = [
        f"{100 * taken[split]['coverage']:.1f} % of the {split} rows are answered, with a precision of "
        f"{taken[split]['precision']:.4f} ({taken[split]['low']:.4f} to {taken[split]['high']:.4f})"
        for split in _SPLITS
        if split in taken
    ]
    return (
        f"abstention: no answer below a confidence of {taken['least_confidence']:.4f}, for a precision of "
        f"{figure(taken['precision'])}; {', '.join(answered)}."
    )


def _thresholds(taken: Mapping[str, Any]) -> str:
    found = list(taken["of"].items())
    shown = ", ".join(f"{name} {least:.3g}" for name, least in found[:_LISTED])
    return f"thresholds: {shown}{f' and {len(found) - _LISTED} more' if len(found) > _LISTED else ''}."


def _reliability(split: str, measured: Mapping[str, Any]) -> Chart | None:
    def points(moment: str) -> Sequence[tuple[float, float]]:
        return [(each["confidence"], each["accuracy"]) for each in measured[moment]["bins"]]

    drawn = [("right as often", [(0.0, 0.0), (1.0, 1.0)]), ("before", points("before")), ("after", points("after"))]
    return line_chart(f"share of right rows, {split}", drawn, _SHARE, _CONFIDENCE)
