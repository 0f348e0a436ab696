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
FINAL_SHARE = 0.45
"""Least share of the time that the final run has."""
FIRST_SHARE, FIRST_SECONDS = 0.1, 40.0
"""The first trial shows what a run takes beside training: it gets this share, at most so many seconds where there is
little time, and `MUCH_SHARE` where there is much."""
MUCH_SHARE = 0.04
OVERHEADS = 2.5
"""The least time of a trial, in times what a run takes beside training."""
LEAST_STEPS = (120, 60, 30)
"""The least optimizer steps of a trial, the first number with which `WANTED` trials have time: after few steps settings
differ by their warmup, not by what they end at."""
_OFTEN = 10
"""Trials have at most so many times the steps of the config as it stands, where its data is very small."""
WANTED = 3
"""Trials: the config as it stands, and the settings that fit two methods."""
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
    return min(FIRST_SHARE * budget, max(FIRST_SECONDS, MUCH_SHARE * budget))


def final_seconds(budget: float, whole: float) -> float:
    """Return the time that is kept for the final run of a search.

    At least what the config as it stands takes in full, as far as there is that much: settings that fit better do not
    make up for a run that is cut to a part of its steps.

    Args:
        budget: seconds of the search.
        whole: seconds of a run of the config as it stands.
    """
    return max(FINAL_SHARE * budget, min(whole, budget))


def fitting_rungs(seconds: float, overhead: float, most: int, step: float, planned: int) -> tuple[Rung, ...]:
    """Return the rungs of a search whose trials have steps enough, as far as its time allows that.

    Args:
        seconds: for all its trials together.
        overhead: what a run takes beside training.
        most: settings to try.
        step: seconds of an optimizer step.
        planned: steps of the config as it stands.
    """
    found: tuple[Rung, ...] = ()
    for steps in LEAST_STEPS:
        found = rungs(seconds, overhead, most, step * min(steps, _OFTEN * planned))
        if found[0].trials >= WANTED:
            break
    return found


def rungs(seconds: float, overhead: float, most: int, training: float = 0.0) -> tuple[Rung, ...]:
    """Return the rungs of a search, the widest first.

    The last has two settings or more: one alone decides nothing, and the final run trains it anyway.

    Args:
        seconds: for all its trials together.
        overhead: what a run takes beside training: loading, evaluation, saving.
        most: settings to try.
        training: the least time of training in a trial, as `LEAST_STEPS` take.
    """
    least = max(LEAST_SECONDS, OVERHEADS * overhead, overhead + training)
    for trials in range(most, 1, -1):
        levels = max(1, int(math.log(trials / 2, FACTOR) + 1e-9) + 1)
        share = seconds / levels
        if share / trials >= least:
            counts = [trials // FACTOR**level for level in range(levels)]
            return tuple(Rung(count, share / count) for count in counts)
    return (Rung(1, seconds),)
