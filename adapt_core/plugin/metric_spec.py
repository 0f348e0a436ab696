"""The spec of a metric."""

from __future__ import annotations

import math
from typing import Any

import attrs

from adapt_core.plugin.specs import Spec

DIRECTIONS = ("higher", "lower")


def _ordered(_: object, attribute: attrs.Attribute[Any], value: tuple[float, float]) -> None:
    if not value[0] < value[1]:
        raise ValueError(f"{attribute.name} must be the least and the greatest value, not {value!r}")


@attrs.frozen(kw_only=True, eq=False)
class MetricSpec(Spec):
    """A metric that METRICS names. Its implementation answers `adapt_core.contracts.Metric`.

    It is a function, used as it is, or a class, constructed with its params where it declares some, else without
    arguments.

    Attributes:
        kinds: the kinds of predictions that it scores; see `adapt_core.evaluated_rows.KINDS`.
        direction: whether "higher" or "lower" values are better.
        bounds: the least and the greatest value, where a chart's axis ends; infinite where there is none.
        figures: the names of what it returns where that are several (rouge: rouge1, rouge2); its own name alone where
            it returns one number. Direction and bounds hold for each.
        mean_of_rows: whether a value is the mean of those of the rows, each alone. Samples of rows, of which intervals
            draw thousands, are then means of values that are computed once.
        requires: distributions that it needs beyond those of its plugin, as pip knows them.
    """

    kinds: tuple[str, ...] = attrs.field(validator=attrs.validators.min_len(1))
    direction: str = attrs.field(default="higher", validator=attrs.validators.in_(DIRECTIONS))
    bounds: tuple[float, float] = attrs.field(default=(-math.inf, math.inf), validator=_ordered)
    figures: tuple[str, ...] = attrs.field()
    requires: tuple[str, ...] = ()
    mean_of_rows: bool = False

    @figures.default
    def _its_name(self) -> tuple[str, ...]:
        return (self.name,)
