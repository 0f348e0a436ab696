"""Figures, sizes and spans of time as people read them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence


def figure(value: object) -> str:
    """Return a number with four significant digits, whole ones with thousands set apart; anything else as text."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, int) or (value.is_integer() and abs(value) < 1e15):
        return f"{int(value):,}"
    return f"{value:.4g}"


def format_metrics(metrics: Mapping[str, float]) -> str:
    """Return metrics as a short line of text."""
    return ", ".join(f"{name} {value:.4g}" for name, value in metrics.items())


def in_rows(values: Mapping[str, object]) -> list[tuple[str, object]]:
    """Return nested values as rows of a table: {"train": {"rows": 3}} as ("train rows", 3), a list as "a, b"."""
    rows: list[tuple[str, object]] = []
    for name, value in values.items():
        title = name.replace("_", " ")
        if isinstance(value, Mapping):
            rows += [(f"{title} {inner}", part) for inner, part in in_rows(value)]
        elif isinstance(value, (list, tuple)):
            rows.append((title, ", ".join(figure(item) for item in value)))
        else:
            rows.append((title, value))
    return rows


def size(count: float) -> str:
    """Return bytes in the largest unit that leaves a number above 1 (powers of 1024)."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(count) < 1024:
            return f"{count:.4g} {unit}"
        count /= 1024
    return f"{count:.4g} TiB"


def span(seconds: float) -> str:
    """Return seconds as "41 s", "3 min 20 s" or "2 h 5 min"."""
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def setting(value: object) -> str:
    """Return a config value as the config file spells it."""
    if value is None:
        return "not given"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(setting(item) for item in value)}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {setting(item)}' for key, item in value.items())}}}"
    return str(value)


def score(value: float, sign: str = "") -> str:
    """Return a metric with four decimals; "not finite" for NaN and infinity.

    Args:
        value: of the metric.
        sign: "+" writes the sign of positive numbers too.
    """
    return f"{value:{sign}.4f}" if math.isfinite(value) else "not finite"


def with_interval(value: float | None, interval: Sequence[float] | None) -> str:
    """Return a metric with its interval, "0.8696 (0.8043 to 0.9203)"; empty without a metric.

    Args:
        value: of the metric.
        interval: [low, high]; None where the metric has none.
    """
    if value is None:
        return ""
    return score(value) if interval is None else f"{score(value)} ({score(interval[0])} to {score(interval[1])})"
