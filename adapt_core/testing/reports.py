"""Whether each figure of a run's report has its place in `result.json`."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from adapt_core.runtime.format import figure, score, size, span

_ELSEWHERE = ("samples", "worst", "config", "again")
"""Sections that show rows of the data, keys of the config, and commands."""

_NUMBER = re.compile(r"(?<![\w.])[+-]?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?(?![\w.]*\d)")
_OF_TRAINING = "training, step"
_CONSTANT = frozenset(["95"])
"""The percent of intervals."""


def figures_without_place(folder: Path) -> list[str]:
    """Return what a report tells in numbers that `result.json` does not have, in the words around it.

    Rows that are shown, the config, commands and the curves of training are left out: `docs/json.md` says where they
    are.

    Args:
        folder: of a finished run.
    """
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    known = {form for number in _derived(result) for form in _forms(number)}
    known |= set(_NUMBER.findall(" ".join(_texts(result)))) | _CONSTANT
    missing = []
    for line in _lines((folder / "report.html").read_text(encoding="utf-8")):
        told = [
            number
            for number in _NUMBER.findall(line.replace("SHA-256", ""))
            if number not in known and number.lstrip("+") not in known
        ]
        if told and not line.startswith(_OF_TRAINING):
            missing.append(f"{', '.join(told)} in {line[:120]!r}")
    return missing


def _lines(page: str) -> Iterator[str]:
    """Yield the texts of a page that tell figures: cells, headings, what a pointer on a point is told."""
    for section in _ELSEWHERE:
        page = re.sub(rf'<section id="{section}">.*?</section>', "", page, flags=re.DOTALL)
    page = re.sub(r"<text .*?</text>", "", page.partition("<main>")[2], flags=re.DOTALL)
    for text in re.split(r"<[^>]+>", page):
        if text.strip():
            yield " ".join(html.unescape(text).split())


def _derived(result: Any) -> Iterator[float]:
    """Yield the numbers of a result, and those that the report makes of two of them."""
    yield from _numbers(result)
    before, after = (result["metrics"].get(moment) or {} for moment in ("before", "after"))
    for name in before:
        if isinstance(before[name], float) and isinstance(after.get(name), float):
            yield after[name] - before[name]
    for held in result["also"].values():
        first, last = held.get("before") or {}, held.get("after") or {}
        yield from (last[name] - first[name] for name in first if None not in (first[name], last.get(name)))
    if result["total_parameters"]:
        yield result["trainable_parameters"] / result["total_parameters"]


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, bool):
        return
    if isinstance(value, (int, float)):
        yield value
    elif isinstance(value, dict):
        yield len(value)
        for inner in value.values():
            yield from _numbers(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _numbers(inner)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from value
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _forms(number: float) -> set[str]:
    """Return how a report may write a number: as a metric, a figure, a share in percent, bytes, seconds."""
    shown = (
        score(number),
        figure(number),
        figure(round(number, 2)),
        f"{number:.3g} {number:.2f} {number:.3f} {number:.1f}",
        f"{100 * number:.3g} {100 * number:.1f} {100 * number:.0f}",
        size(number),
        span(number),
    )
    return set(_NUMBER.findall(" ".join(shown)))
