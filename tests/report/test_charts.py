"""Charts as numbers: every point inside the frame, ticks on round values, nothing drawn of nothing."""

from __future__ import annotations

import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapt_core.report.charts import Tick, line_chart
from adapt_core.report.curves import charts_of, overlaid

VALUES = st.floats(min_value=-1e12, max_value=1e12, allow_nan=False)
LINES = [
    {"phase": "before", "step": 0, "epoch": 0.0, "loss": 2.0, "accuracy": 0.2},
    {"phase": "train", "step": 10, "epoch": 0.5, "loss": 1.5, "learning_rate": 1e-4, "grad_norm": 3.0},
    {"phase": "eval", "step": 20, "epoch": 1.0, "loss": 1.0, "accuracy": 0.7},
    {"phase": "after", "step": 20, "epoch": 1.0, "loss": 1.0, "accuracy": 0.7},
    {"phase": "test", "step": 20, "epoch": 1.0, "loss": 1.1, "accuracy": 0.6},
]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.integers(0, 10**6), VALUES), min_size=1, max_size=30, unique_by=lambda point: point[0]))
def test_every_point_lies_in_the_frame(points: list[tuple[float, float]]) -> None:
    chart = line_chart("loss", [("training", points)])
    assert chart is not None
    for dot in chart.lines[0].dots:
        assert chart.left - 0.1 <= dot.x <= chart.right + 0.1
        assert chart.top - 0.1 <= dot.y <= chart.bottom + 0.1
    for tick in chart.y_ticks:
        assert chart.top - 0.1 <= tick.at <= chart.bottom + 0.1


def test_larger_values_stand_higher_and_ticks_are_round() -> None:
    chart = line_chart("accuracy", [("", [(0, 0.13), (10, 0.47), (20, 0.92)])])
    assert chart is not None
    assert [dot.y for dot in chart.lines[0].dots] == sorted((dot.y for dot in chart.lines[0].dots), reverse=True)
    assert [tick.label for tick in chart.y_ticks] == ["0.2", "0.4", "0.6", "0.8"]
    assert [tick.label for tick in chart.x_ticks] == ["0", "5", "10", "15", "20"]


def test_one_point_and_equal_values_are_drawn() -> None:
    for points in ([(3, 0.5)], [(0, 2.0), (5, 2.0)], [(0, 0.0), (5, 0.0)]):
        assert line_chart("loss", [("training", points)]) is not None


def test_a_line_of_very_many_points_keeps_its_extremes_and_ends() -> None:
    points = [(step, 2.0 + math.sin(step / 50) / 10) for step in range(100_000)]
    points[33_333] = (33_333, 9.0)
    points[66_666] = (66_666, -4.0)
    chart = line_chart("loss", [("training", points)])
    assert chart is not None
    [line] = chart.lines
    assert len(line.path) < 30_000, "an SVG of so many points would be more than a megabyte"
    places = [tuple(map(float, place.split())) for place in line.path[1:].split(" L")]
    assert places == sorted(places, key=lambda place: place[0])
    assert min(y for _, y in places) == pytest.approx(chart.top, abs=0.1), "9 is the greatest value"
    assert max(y for _, y in places) == pytest.approx(chart.bottom, abs=0.1), "-4 is the least"
    assert (places[0][0], places[-1][0]) == pytest.approx((chart.left, chart.right), abs=0.1)
    assert [dot.label for dot in line.dots] == [f"training, step 99,999: {points[-1][1]:.4g}"]


def test_nothing_finite_is_no_chart() -> None:
    assert line_chart("loss", [("training", [(0, math.nan), (1, math.inf)])]) is None
    assert line_chart("loss", []) is None


def test_a_chart_says_in_words_what_it_shows() -> None:
    chart = line_chart("loss", [("training", [(0, 2.0), (9, 0.5)])])
    assert chart is not None
    assert chart.summary == "loss: training from 2 to 0.5."


def test_a_run_s_curves_are_loss_metrics_learning_rate_and_gradients() -> None:
    charts = {chart.title: chart for chart in charts_of(LINES, {"accuracy": (0, 1)})}
    assert list(charts) == ["loss", "accuracy", "learning rate", "grad norm"]
    assert [line.name for line in charts["loss"].lines] == ["training", "validation"]
    assert len(charts["accuracy"].lines[0].dots) == 2  # before, and after one epoch; the test split is no point of it


@pytest.mark.parametrize("title", ["training loss", "validation loss", "validation accuracy"])
def test_several_runs_share_a_chart(title: str) -> None:
    chart = next(
        chart for chart in overlaid([("a", LINES), ("b", LINES)], {"accuracy": (0, 1)}) if chart.title == title
    )
    assert [line.name for line in chart.lines] == ["a", "b"]


def test_an_axis_ends_at_what_a_metric_can_be() -> None:
    whole = line_chart("accuracy", [("validation", [(0, 0.9), (10, 0.9)])], (0, 1))
    assert whole is not None
    assert [tick.label for tick in whole.y_ticks] == ["0", "0.5", "1"]
    assert whole.y_ticks[-1].at == whole.top
    assert whole.y_ticks[0].at == whole.bottom
    perplexity = line_chart("perplexity", [("validation", [(0, 1.0), (10, 1.0)])], (1, math.inf))
    assert perplexity is not None
    assert perplexity.lines[0].dots[0].y <= perplexity.bottom


def test_rates_begin_at_zero_and_steps_are_never_negative() -> None:
    [rate] = [chart for chart in charts_of(LINES, {}) if chart.title == "learning rate"]
    assert rate.y_ticks[0] == Tick(rate.bottom, "0")
    assert all(float(tick.label) >= 0 for tick in rate.x_ticks)


def test_intervals_of_evaluations_are_a_band_around_the_points_and_told_at_each() -> None:
    lines = [
        {"phase": "before", "step": 0, "epoch": 0.0, "accuracy": 0.5, "intervals": {"accuracy": [0.4, 0.6]}},
        {"phase": "eval", "step": 10, "epoch": 1.0, "accuracy": 0.7},
        {"phase": "eval", "step": 20, "epoch": 2.0, "accuracy": 0.8, "intervals": {"accuracy": [0.7, 0.85]}},
        {"phase": "after", "step": 20, "epoch": 2.0, "accuracy": 0.8, "intervals": {"accuracy": [0.72, 0.86]}},
        {"phase": "test", "step": 20, "epoch": 2.0, "accuracy": 0.6, "intervals": {"accuracy": [0.1, 0.9]}},
    ]
    [chart] = [one for one in charts_of(lines, {}) if one.title == "accuracy"]
    [line] = chart.lines
    assert [dot.label.partition(": ")[2] for dot in line.dots] == ["0.5 (0.4 to 0.6)", "0.7", "0.8 (0.72 to 0.86)"]
    first, second, third = line.dots
    assert first.high < first.y < first.low, "a higher value stands higher"
    assert (second.low, second.high) == (second.y, second.y)
    corners = [tuple(map(float, place.split())) for place in line.band[1:-2].split(" L")]
    assert corners == [(first.x, first.high), (third.x, third.high), (third.x, third.low), (first.x, first.low)]
    assert all(chart.top - 0.1 <= y <= chart.bottom + 0.1 for _, y in corners)


def test_a_single_interval_and_a_chart_without_any_have_no_band() -> None:
    for spans in ({}, {"validation": {10: [0.6, 0.9]}}):
        chart = line_chart("accuracy", [("validation", [(0, 0.5), (10, 0.7)])], spans=spans)
        assert chart is not None
        assert chart.lines[0].band == ""


def test_the_band_of_very_many_evaluations_keeps_its_extremes() -> None:
    steps = range(20_000)
    spans = {step: [0.4, 0.6] for step in steps}
    spans[7_777] = [0.05, 0.95]
    chart = line_chart("accuracy", [("validation", [(step, 0.5) for step in steps])], spans={"validation": spans})
    assert chart is not None
    band = chart.lines[0].band
    ends = [float(place.split()[1]) for place in band[1:-2].split(" L")]
    assert len(band) < 60_000
    assert (min(ends), max(ends)) == pytest.approx((chart.top, chart.bottom), abs=0.1)
