"""STOP_AFTER and BUDGET in a config: times with units; STOP_AFTER also a number of steps."""

from __future__ import annotations

import pytest

from adapt_core.config.stop_after import StopAfter, budget_seconds, stop_after


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        (None, StopAfter()),
        ("2h", StopAfter(seconds=7200)),
        ("1h 30m", StopAfter(seconds=5400)),
        ("1d2h", StopAfter(seconds=93_600)),
        ("45 min", StopAfter(seconds=2700)),
        ("0.5H", StopAfter(seconds=1800)),
        ("90s", StopAfter(seconds=90)),
        ("500 steps", StopAfter(steps=500)),
        ("1 step", StopAfter(steps=1)),
    ],
)
def test_a_time_or_steps(text: str | None, limit: StopAfter) -> None:
    assert stop_after(text) == limit


@pytest.mark.parametrize("text", ["", "2", "2 hours", "h", "-1h", "0s", "0 steps", "2h 5 steps", "1:30:00"])
def test_what_is_neither_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"as in 2h|above zero"):
        stop_after(text)


@pytest.mark.parametrize(("text", "seconds"), [("20m", 1200), ("1h 30m", 5400), ("90s", 90), (None, float("inf"))])
def test_a_budget_is_a_time(text: str | None, seconds: float) -> None:
    assert budget_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "20", "500 steps", "0s", "20 minutes"])
def test_what_is_no_time_is_no_budget(text: str) -> None:
    with pytest.raises(ValueError, match="as in 20m"):
        budget_seconds(text)
