"""How the time of a search is shared out: synchronous successive halving.

Many settings get little time, the better third of them three times as much, and so on (K. Jamieson, A. Talwalkar:
Non-stochastic Best Arm Identification and Hyperparameter Optimization. AISTATS 2016). The resource is time, not steps:
a method whose steps are quicker gets more of them.
"""

from __future__ import annotations

import math

import attrs

FACTOR = 3
"""A third of the settings goes on to the next rung."""
SEARCH_SHARE = 0.6
"""Share of the time that trials get; the final run has the rest."""
FIRST_SHARE, FIRST_SECONDS = 0.2, 40.0
"""The first trial shows what a run takes beside training: it gets this share, at most so many seconds where there is
little time, and a fifth of the share where there is much."""
OVERHEADS = 3.0
"""The least time of a trial, in times what a run takes beside training."""
LEAST_SECONDS = 4.0


@attrs.frozen
class Rung:
    """A round of successive halving.

    Attributes:
        trials: how many settings it has.
        seconds: BUDGET of each run.
    """

    trials: int
    seconds: float


def first_seconds(budget: float) -> float:
    """Return the time of the first trial in a search of so many seconds."""
    return min(FIRST_SHARE * budget, max(FIRST_SECONDS, FIRST_SHARE / 5 * budget))


def rungs(seconds: float, overhead: float, most: int) -> tuple[Rung, ...]:
    """Return the rungs of a search, the widest first.

    Args:
        seconds: for all its trials together.
        overhead: what a run takes beside training: loading, evaluation, saving.
        most: settings to try.
    """
    least = max(LEAST_SECONDS, OVERHEADS * overhead)
    for trials in range(most, 1, -1):
        levels = 1 + int(math.log(trials, FACTOR) + 1e-9)
        share = seconds / levels
        if share / trials >= least:
            counts = [max(1, trials // FACTOR**level) for level in range(levels)]
            return tuple(Rung(count, share / count) for count in counts)
    return (Rung(1, seconds),)
