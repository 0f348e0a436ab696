"""BUDGET: the steps of a run that fit into a time, fitted again after each step.

The schedule of the learning rate ends with the fitted steps: one that arrives at zero when the time is over trains
better than one that is cut off (M. Li, E. Yumer, D. Ramanan: Budgeted Training. ICLR 2020).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TypeVar

import attrs

Measured = TypeVar("Measured")

_FIRST_STEPS = 3
"""Steps before the first fit; the first of them also builds caches and is not counted."""
_RESERVE_SHARE, _RESERVE_SECONDS = 0.02, 1.0
"""Time that is left for what is not forecast: this share of the budget, and at least these seconds."""
_EVALUATED = 0.5
"""Time of an evaluated row as a share of a trained one, where no evaluation was measured: a forward pass is a third."""
_SLOWER = 1.2
"""What is not training may take so many times as long as when it was measured: other work has the machine, too."""
_CLOCK = 1e-6
"""The least time of a step, in seconds, by a clock that did not move."""
_WRITTEN = 50e6
"""Bytes of a model that are exported, checked and written in a second, where no run has finished before."""


@attrs.define
class Pieces:
    """What was measured of the parts of a run that are not training, in seconds; None before it was.

    Attributes:
        evaluation: of the validation split.
        finishing: from the last evaluation to the result: merge, export, model card, report.
    """

    evaluation: float | None = None
    finishing: float | None = None


_MEASURED: dict[str, Pieces] = {}
"""What the runs of this process have measured, by what they run."""


@attrs.frozen(kw_only=True)
class Ahead:
    """What a loop knows when training begins.

    Attributes:
        steps: of the whole run, as the config says.
        done: those of an earlier command.
        steps_each: steps from one evaluation or checkpoint to the next; infinite without.
        evaluations: of the trained model: the validation split counts 1, others by their rows.
        rows_each: validation rows, in steps of training.
        model_bytes: of all parameters.
    """

    steps: int
    done: int = 0
    steps_each: float = math.inf
    evaluations: float = 0.0
    rows_each: float = 0.0
    model_bytes: int = 0


class Budget:
    """The time of a run, and the steps that fit.

    Args:
        seconds: from `since` to the result; infinite for no bound.
        since: when the command began, by `clock`; now without it.
        of: what is run (task, model, data): runs of this process share what they measured.
        clock: seconds, for tests.
        agree: fitted steps of this process -> those of all, which must call it alike.
    """

    def __init__(
        self,
        seconds: float = math.inf,
        since: float | None = None,
        of: str | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        agree: Callable[[int], int] = lambda steps: steps,
    ) -> None:
        self.seconds, self._clock, self.agree = seconds, clock, agree
        self.since = clock() if since is None else since
        self.pieces = Pieces() if of is None else _MEASURED.setdefault(of, Pieces())
        self.ahead = Ahead(steps=0)
        self.steps = 0
        self._held = False
        self._times: list[float] = []
        self._pauses: list[float] = []
        self._last: float | None = None
        self._trained: float | None = None

    @property
    def is_bounded(self) -> bool:
        """Whether there is a bound at all."""
        return math.isfinite(self.seconds)

    def evaluation(self, evaluate: Callable[[], Measured]) -> Measured:
        """Return what an evaluation of the validation split returns, and measure its time."""
        started = self._clock()
        found = evaluate()
        self.pieces.evaluation = self._clock() - started
        return found

    def hold(self, steps: int) -> None:
        """Keep the steps that an earlier command fitted: the run goes on as if it had not been interrupted."""
        self.steps, self._held = steps, True

    def begin(self, ahead: Ahead) -> int:
        """Begin training; return the steps of the run, as far as they are known."""
        self.ahead = ahead
        if not self._held:
            self.steps = ahead.steps
        self._last = self._clock()
        return self.steps

    def paused(self) -> None:
        """Count the time since the last step as an evaluation, a checkpoint, or both."""
        if self._last is not None:
            now = self._clock()
            self._pauses.append(now - self._last)
            self._last = now

    def stepped(self, step: int) -> int:
        """Count a step, and return the steps of the run: `step` itself where the time is over.

        Args:
            step: done in all.
        """
        if not self.is_bounded or self._held:
            return self.steps
        now = self._clock()
        if self._last is not None:
            self._times.append(now - self._last)
        self._last = now
        self.steps = self.agree(min(self.ahead.steps, step + self._fitting(step, now)))
        return self.steps

    def position(self, step: float) -> float:
        """Return where a step stands in the schedule that the config makes."""
        return step * self.ahead.steps / self.steps if self.steps else step

    def planned_steps(self, done: int) -> int:
        """Return the steps that the config says; those done where nothing was cut."""
        return max(self.ahead.steps, done)

    def step_seconds(self) -> float | None:
        """Return the time of a step, the mean of the later half; None before it is known."""
        if len(self._times) < _FIRST_STEPS:
            return None
        later = self._times[len(self._times) // 2 :]
        return sum(later) / len(later)

    def _fitting(self, step: int, now: float) -> int:
        """Return how many steps fit behind this one."""
        left = self.seconds - (now - self.since) - max(_RESERVE_SECONDS, _RESERVE_SHARE * self.seconds)
        each = self.step_seconds()
        if each is None:
            return self.ahead.steps if left > 0 else 0
        ahead, pieces = self.ahead, self.pieces
        evaluation = each * _EVALUATED * ahead.rows_each if pieces.evaluation is None else pieces.evaluation
        finishing = 1 + ahead.model_bytes / _WRITTEN if pieces.finishing is None else pieces.finishing
        pause = self._pauses[-1] if self._pauses else evaluation
        left = max(0.0, left - _SLOWER * (ahead.evaluations * evaluation + finishing))
        fitting = math.floor(left / max(each, _CLOCK))
        pauses = (step + fitting) // ahead.steps_each - step // ahead.steps_each
        if pauses:
            fitting = math.floor(left / (each + pause / ahead.steps_each))
            pauses = (step + fitting) // ahead.steps_each - step // ahead.steps_each
            over = fitting * each + pauses * pause - left
            fitting = max(0, fitting - math.ceil(max(over, 0) / max(each, _CLOCK)))
        return fitting

    def trained(self) -> None:
        """Note that the trained model is evaluated: what comes is finishing."""
        self._trained = self._clock()

    def finished(self) -> None:
        """Note that the result is written."""
        if self._trained is not None:
            self.pieces.finishing = self._clock() - self._trained


def least_of_all(steps: int) -> int:
    """Return the least of the steps that the processes of a run fitted; each must call it."""
    import torch
    from torch import distributed

    least = torch.tensor([steps])  # On the CPU, over gloo: no GPU waits for it.
    distributed.all_reduce(least, distributed.ReduceOp.MIN)
    return int(least)
