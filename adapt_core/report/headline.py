"""The headline of a report: the metric that decides what is best, before and after."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from adapt_core.evaluation import deciding_metric, direction_of
from adapt_core.result import RunResult
from adapt_core.runtime.format import with_interval


@attrs.frozen
class Headline:
    """The deciding metric of a run.

    Attributes:
        name: of the metric.
        better: "higher", "lower", or empty where that is not known.
        values: ("before", "0.2500") and the like, in the order of the run, with the interval where there is one.
    """

    name: str
    better: str
    values: tuple[tuple[str, str], ...]


def headline(result: RunResult, directions: Mapping[str, str], wanted: str | None) -> Headline | None:
    """Return the headline of a run; None where nothing was measured.

    Args:
        result: the run's.
        directions: metric -> "higher" or "lower".
        wanted: METRIC_FOR_BEST.
    """
    measured = {moment: values for moment, values in result.metrics.items() if values}
    if not measured:
        return None
    name = deciding_metric(measured.get("after") or next(iter(measured.values())), directions, wanted)
    values = tuple(
        (moment, with_interval(found[name], result.intervals.get(moment, {}).get(name)))
        for moment, found in measured.items()
        if name in found
    )
    return Headline(name, direction_of(name, directions) or "", values)
