"""SCHEDULER_TYPE: package.module:name, as a table of what LR is multiplied by at each step.

A function (optimizer, ...) -> schedule, as transformers has them, or a class of torch.optim.lr_scheduler. It runs once,
on an optimizer of its own, so that what it makes of all steps is known before the first one, is the same in either loop
and needs no state in a checkpoint.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import torch
from torch import nn

from adapt_core.nn.named.code import NamedCodeError, fault_of, load_named, require_options, takes

_TOY_STEPS = 10


@attrs.frozen
class NamedSchedule:
    """A schedule that a config names.

    Attributes:
        dotted: SCHEDULER_TYPE.
        options: SCHEDULER_OPTIONS.
        lr: LR.
    """

    dotted: str
    options: Mapping[str, Any]
    lr: float

    def factors(self, steps: int, warmup: int = 0) -> list[float]:
        """Return what LR is multiplied by at each step.

        Args:
            steps: of the run; a parameter `num_training_steps`, `total_steps` or `T_max` that the options leave out.
            warmup: steps that the rate warms up; a parameter `num_warmup_steps`.

        Raises:
            NamedCodeError: it is no schedule, does not take what it is given, or needs a metric.
        """
        made = load_named(self.dotted)
        if not callable(made):
            raise NamedCodeError(f"{self.dotted} is not a function or a class. Name another.")
        rate = self.lr or 1.0
        known = {"num_training_steps": steps, "total_steps": steps, "T_max": steps, "max_lr": rate}
        given = {name: value for name, value in known.items() if takes(made, name)}
        if takes(made, "num_warmup_steps"):
            given["num_warmup_steps"] = warmup
        arguments = {**given, **self.options}
        toy = torch.optim.AdamW([nn.Parameter(torch.zeros(1))], lr=rate)
        require_options(made, arguments, toy)
        try:
            with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
                warnings.simplefilter("ignore")
                schedule = made(toy, **arguments)
                if not isinstance(schedule, torch.optim.lr_scheduler.LRScheduler):
                    raise NamedCodeError(f"{self.dotted} makes no schedule (torch.optim.lr_scheduler). Name another.")
                found = []
                for _ in range(steps):
                    self._require_rate_alone(toy)
                    found.append(float(toy.param_groups[0]["lr"]) / rate)
                    if len(found) < steps:
                        schedule.step()
        except NamedCodeError:
            raise
        except Exception as error:  # foreign code: anything can go wrong in it
            raise NamedCodeError(
                f"{self.dotted} cannot be used: {fault_of(error)}. Change SCHEDULER_OPTIONS."
            ) from error
        return found

    def _require_rate_alone(self, toy: torch.optim.Optimizer) -> None:
        if toy.param_groups[0]["betas"] != toy.defaults["betas"]:
            raise NamedCodeError(
                f"{self.dotted} changes the momentum too, which a schedule does not here. "
                "Set SCHEDULER_OPTIONS: {cycle_momentum: false}."
            )


def require_schedule(schedule: NamedSchedule) -> None:
    """Check that a schedule can be made, of a few steps.

    Raises:
        NamedCodeError: it cannot.
    """
    found = schedule.factors(_TOY_STEPS, 1)
    if not all(0 <= factor < float("inf") for factor in found):
        raise NamedCodeError(f"{schedule.dotted} makes learning rates below 0, or none. Change SCHEDULER_OPTIONS.")


def factor_at(factors: Sequence[float], step: float) -> float:
    """Return the factor of a step; between two steps that of the nearest, and behind the last that of the last."""
    return factors[min(round(step), len(factors) - 1)] if factors else 1.0
