"""A clock for BUDGET by which each look takes a second on rank 0, and half a second more on each rank behind it."""

from __future__ import annotations

import itertools

import pytest


def let_clocks_tick(patch: pytest.MonkeyPatch, rank: int) -> None:
    """From here on the budgets of this process look at such a clock."""
    from adapt_core.execution import budgets
    from adapt_core.runtime.budget import Budget

    def budget(seconds: float, _since: float, _of: str) -> Budget:
        ticks = itertools.count(step=1 + rank / 2)
        return Budget(seconds, 0.0, clock=lambda: float(next(ticks)))

    patch.setattr(budgets, "Budget", budget)
