"""Runs of a comparison tested against the first, on the validation rows that both kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs

from adapt_core.runtime.format import score
from adapt_core.uncertainty.kept_rows import KeptRows
from adapt_core.uncertainty.paired import LEVEL, PairedTest, paired_tests, rows_in_common


@attrs.frozen
class Pair:
    """A run beside the first one: its tests by metric, and where there are none, why."""

    tests: dict[str, PairedTest] = attrs.field(factory=dict)
    why_not: str = ""

    def told(self, metric: str) -> str:
        """Return the test of a metric in words, or empty."""
        test = self.tests.get(metric)
        if test is None:
            return ""
        p = f"p = {test.p:.2g}" if test.p >= 0.001 else "p < 0.001"
        return f"no difference: {p}" if test.p >= LEVEL else f"{score(test.difference, '+')}: {p}"

    def to_data(self) -> dict[str, Any]:
        """Return the tests as JSON-ready data."""
        return {name: attrs.asdict(test) for name, test in self.tests.items()}


def pairs(runs: Sequence[KeptRows | None]) -> list[Pair]:
    """Return each run but the first beside the first one."""
    first = runs[0] if runs else None
    return [_pair(first, other) for other in runs[1:]]


def _pair(first: KeptRows | None, other: KeptRows | None) -> Pair:
    if first is None and other is None:
        return Pair()
    if first is None or other is None:
        return Pair(why_not="not tested: no predictions.parquet")
    common = rows_in_common(first, other)
    if not common == len(first) == len(other):
        return Pair(why_not=f"not tested: the rows differ, {common} of {len(first)} and {len(other)} in common")
    return Pair(paired_tests(first, other))
