"""Line charts as numbers: points, ticks and labels in the units of an SVG view box. The template draws them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from types import MappingProxyType

import attrs

from adapt_core.runtime.format import figure

WIDTH, HEIGHT = 360, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 10, 10, 26
_TICKS = 4
_DOTTED = 40
"""Points up to which each is drawn as a dot."""
_STROKES = 4
"""Points of a line in each unit of width, above which it is drawn by its extremes."""

Points = Sequence[tuple[float, float]]

Spans = Mapping[float, Sequence[float]]
"""Step -> [low, high], the interval of the value there."""

Bounds = tuple[float, float]
"""The least and the greatest value of a figure; infinite where it has none."""

UNBOUNDED: Bounds = (-math.inf, math.inf)
NOT_NEGATIVE: Bounds = (0.0, math.inf)


@attrs.frozen
class Along:
    """What a line runs along.

    Attributes:
        word: of one place ("step").
        title: for the legend ("over steps").
        whole: whether places are whole numbers.
        bounds: the axis reaches to those that are finite.
    """

    word: str = "step"
    title: str = "over steps"
    whole: bool = True
    bounds: Bounds = UNBOUNDED


STEPS = Along()


@attrs.frozen
class Tick:
    """A label on an axis, at a place along it."""

    at: float
    label: str


@attrs.frozen
class Dot:
    """A point of a line, with what a pointer that rests on it is told.

    Attributes:
        x, y: its place.
        label: what is told.
        low, high: places of the ends of its interval along y; those of the point itself where it has none.
    """

    x: float
    y: float
    label: str
    low: float
    high: float


@attrs.frozen
class Line:
    """One series: `path` is an SVG path; `colour` is the number of a colour of the page.

    `band` is the SVG path around the intervals of its points, "" where fewer than two of them have one.
    """

    name: str
    colour: int
    path: str
    dots: tuple[Dot, ...]
    band: str = ""


@attrs.frozen
class Chart:
    """A line chart.

    Attributes:
        title: above it.
        summary: in words, for who cannot see it.
        lines: in the order of the legend.
        x_ticks, y_ticks: labels.
        along: what x is, for the legend.
        left, right, top, bottom: the frame of the plot, in view box units.
    """

    title: str
    summary: str
    lines: tuple[Line, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    along: str = STEPS.title
    left: float = _LEFT
    right: float = WIDTH - _RIGHT
    top: float = _TOP
    bottom: float = HEIGHT - _BOTTOM
    width: float = WIDTH
    height: float = HEIGHT


def line_chart(
    title: str,
    series: Sequence[tuple[str, Points]],
    bounds: Bounds = UNBOUNDED,
    along: Along = STEPS,
    spans: Mapping[str, Spans] = MappingProxyType({}),
) -> Chart | None:
    """Return a chart of series over steps, or along something else; None where there is nothing to draw.

    Args:
        title: of the chart.
        series: names to points (step, value); values that are not finite are left out.
        bounds: least and greatest value that there can be. The axis of values ends at those that are finite.
        along: what the series run along.
        spans: names of series -> the intervals of their points, of those that have one.
    """
    clean = [(name, [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)]) for name, points in series]
    drawn = [(number, name, sorted(points)) for number, (name, points) in enumerate(clean) if points]
    if not drawn:
        return None
    every = [point for _, _, points in drawn for point in points]
    xs, ys = [x for x, _ in every], [y for _, y in every]
    ys += [end for _, name, points in drawn for x, _ in points for end in spans.get(name, {}).get(x, ())]
    x_scale, x_ticks = _axis([*xs, *_finite(along.bounds)], _LEFT, WIDTH - _RIGHT, whole=along.whole)
    y_scale, y_ticks = _axis([*ys, *_finite(bounds)], HEIGHT - _BOTTOM, _TOP, whole=False)
    lines = []
    for number, name, points in drawn:
        places = [(x_scale(x), y_scale(y)) for x, y in points]
        path = "M" + " L".join(f"{x:.1f} {y:.1f}" for x, y in _visible(places))
        dotted = 0 if len(points) <= _DOTTED else len(points) - 1
        own = {x: spans[name][x] for x, _ in points if x in spans.get(name, {})}
        dots = tuple(
            Dot(
                round(px, 1),
                round(py, 1),
                f"{name}, {along.word} {figure(x)}: {figure(y)}" + _told(own.get(x)),
                *(round(y_scale(end), 1) for end in own.get(x, (y, y))),
            )
            for (px, py), (x, y) in zip(places[dotted:], points[dotted:], strict=True)
        )
        band = _band([(x_scale(x), y_scale(low), y_scale(high)) for x, (low, high) in own.items()])
        lines.append(Line(name, number, path, dots, band))
    words = [f"{name} from {figure(points[0][1])} to {figure(points[-1][1])}" for _, name, points in drawn]
    return Chart(title, f"{title}: {'; '.join(words)}.", tuple(lines), x_ticks, y_ticks, along.title)


def _told(interval: Sequence[float] | None) -> str:
    return "" if interval is None else f" ({figure(interval[0])} to {figure(interval[1])})"


def _band(ends: Sequence[tuple[float, float, float]]) -> str:
    """Return the SVG path around intervals, each its place and its lower and upper end; "" of fewer than two."""
    if len(ends) < 2:
        return ""
    upper, lower = _visible([(x, high) for x, _, high in ends]), _visible([(x, low) for x, low, _ in ends])
    return "M" + " L".join(f"{x:.1f} {y:.1f}" for x, y in [*upper, *reversed(lower)]) + " Z"


def _finite(bounds: Bounds) -> list[float]:
    return [bound for bound in bounds if math.isfinite(bound)]


def _visible(places: Sequence[tuple[float, float]]) -> Sequence[tuple[float, float]]:
    """Return the places that a line needs to look as it does through all of them.

    Of very many, those in one column (a view box unit wide) are a stroke from the least to the greatest; the first and
    the last lead to its neighbours.
    """
    if len(places) <= _STROKES * WIDTH:
        return places
    kept: list[tuple[float, float]] = []
    for _, column in groupby(places, key=lambda place: int(place[0])):
        points = list(column)
        extremes = {0, len(points) - 1}
        for choose in (min, max):
            extremes.add(choose(range(len(points)), key=lambda number: points[number][1]))
        kept += [points[number] for number in sorted(extremes)]
    return kept


def _axis(values: Iterable[float], start: float, end: float, *, whole: bool) -> tuple[_Scale, tuple[Tick, ...]]:
    found = list(values)
    low, high = min(found), max(found)
    if low == high:
        half = 1 if whole else abs(low) / 2 or 0.5
        low, high = (low - half if low > 0 or not whole else low, high + half)
    step = _nice((high - low) / _TICKS)
    if whole:
        step = max(1.0, step)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    scale = _Scale(low, high, start, end)
    ticks = [number * step for number in range(first, last + 1)]
    return scale, tuple(Tick(round(scale(value), 1), figure(round(value, 12))) for value in ticks)


@attrs.frozen
class _Scale:
    """From values to places."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def _nice(step: float) -> float:
    """Return the next of 1, 2, 5, 10 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= step * (1 - 1e-9))
