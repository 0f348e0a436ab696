"""STOP_AFTER: how long a command may train before it saves a checkpoint and ends; BUDGET: how long a run may take."""

from __future__ import annotations

import re

import attrs

_UNITS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "min": 60.0, "s": 1.0}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?\s*(?:d|h|min|m|s)\s*)+")
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(d|h|min|m|s)")
_STEPS = re.compile(r"(\d+)\s*steps?")


@attrs.frozen
class StopAfter:
    """When a command stops by itself: after a time since it began, or after optimizer steps of its own.

    Attributes:
        seconds: since the command began; infinite without a time.
        steps: that the command trains; None for any number.
    """

    seconds: float = float("inf")
    steps: int | None = None


def stop_after(text: str | None) -> StopAfter:
    """Return what a value of STOP_AFTER means: "2h", "1h 30m", "45 min", "500 steps"; nothing for None.

    Raises:
        ValueError: it is neither a time with units nor a number of steps, or it is zero.
    """
    if text is None:
        return StopAfter()
    given = text.strip().casefold()
    if found := _STEPS.fullmatch(given):
        limit = StopAfter(steps=int(found[1]))
    elif _DURATION.fullmatch(given):
        limit = StopAfter(seconds=_seconds(given))
    else:
        raise ValueError(f"must be a time or a number of steps, as in 2h, 1h 30m, 90s or 500 steps; not {text!r}.")
    if not limit.seconds or limit.steps == 0:
        raise ValueError(f"must be above zero; not {text!r}.")
    return limit


def budget_seconds(text: str | None) -> float:
    """Return what a value of BUDGET means, in seconds: "20m", "1h 30m"; infinite for None.

    Raises:
        ValueError: it is no time with units, or it is zero.
    """
    if text is None:
        return float("inf")
    given = text.strip().casefold()
    if not _DURATION.fullmatch(given) or not (seconds := _seconds(given)):
        raise ValueError(f"must be a time above zero, as in 20m, 1h 30m or 90s; not {text!r}.")
    return seconds


def _seconds(text: str) -> float:
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
