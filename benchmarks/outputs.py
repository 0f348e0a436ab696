"""What a benchmark printed: its JSON objects, and the figures in them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

_SPREAD = {"median", "least", "most"}
EACH = "*"
LEFT_OUT = "left_out"


@attrs.frozen(kw_only=True)
class Figure:
    """A number; median, least and most where it was measured by pairs or rounds, else the same number thrice.

    Attributes:
        compared: whether it was measured by pairs or rounds, be it one alone.
    """

    median: float
    least: float
    most: float
    compared: bool = False

    def __str__(self) -> str:
        if self.least == self.most == self.median:
            return f"{self.median:.4g}"
        return f"{self.median:.3f} ({self.least:.3f} to {self.most:.3f})"


def objects(printed: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects that begin a line of an output; other lines are passed over."""
    text, end = "\n" + "\n".join(printed), 0
    while (before := text.find("\n{", end)) >= 0:
        try:
            found, end = json.JSONDecoder().raw_decode(text, before + 1)
        except json.JSONDecodeError:
            end = before + 2
            continue
        yield found


def label(told: Mapping[str, Any]) -> str:
    """Return what tells an object from the others of its output: its texts, and the number of its run."""
    texts = [value for key, value in told.items() if isinstance(value, str) and key != LEFT_OUT]
    return ", ".join([*texts, *([f"run {told['run']}"] if "run" in told else [])])


def figure(told: Any, path: Sequence[str]) -> Figure | None:
    """Return the figure at a path of keys, or None; at `*` the one of all keys with the greatest median."""
    for place, key in enumerate(path):
        if key == EACH and isinstance(told, Mapping):
            found = [figure(inner, path[place + 1 :]) for inner in told.values()]
            return max(filter(None, found), key=lambda one: one.median, default=None)
        if not isinstance(told, Mapping) or key not in told:
            return None
        told = told[key]
    return as_figure(told)


def as_figure(value: Any) -> Figure | None:
    """Return a number, or a mapping of median, least and most, as a figure; None for anything else."""
    if isinstance(value, Mapping) and set(value) == _SPREAD:
        return Figure(**value, compared=True)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return Figure(median=value, least=value, most=value)
    return None


def numbers(told: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Figure]]:
    """Yield every figure of an object with its path of keys, but those of `targets`."""
    for key, inner in told.items():
        here = (*path, key)
        if (found := as_figure(inner)) is not None:
            yield here, found
        elif isinstance(inner, Mapping) and key not in ("targets", "versions"):
            yield from numbers(inner, here)
