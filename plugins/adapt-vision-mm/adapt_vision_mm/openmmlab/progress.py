"""The position of a run, in memory and in checkpoints."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import attrs
from torch import nn

from adapt_core.distributed.world import World
from adapt_core.errors import InputError

from adapt_vision_mm.openmmlab import checkpoints
from adapt_vision_mm.openmmlab.averaged_weights import AveragedWeights

if TYPE_CHECKING:
    from mmengine.runner import Runner


@attrs.define(kw_only=True)
class Progress:
    """Counters of one training run.

    Attributes:
        batches_per_epoch, total_batches: of this process.
        accumulation: batches per optimizer step.
        batch, step: completed batches and optimizer steps.
        best_value, best_step, without_better: of the metric that decides what is best; evaluations since.
        last_evaluation: (step, metrics) of the latest evaluation.
        averages: of the weights, with EMA.
        resumed: the checkpoint's content, until it is restored.
    """

    world: World
    batches_per_epoch: int
    total_batches: int
    accumulation: int
    batch: int = 0
    step: int = 0
    best_value: float | None = None
    best_step: int | None = None
    without_better: int = 0
    last_evaluation: tuple[int, dict[str, float]] | None = None
    averages: AveragedWeights = attrs.field(factory=lambda: AveragedWeights(None))
    resumed: dict[str, Any] | None = None

    @property
    def total_steps(self) -> int:
        """Optimizer steps of the whole run."""
        return math.ceil(self.total_batches / self.accumulation)

    @property
    def epoch(self) -> float:
        """Completed epochs, fractional."""
        return self.batch / self.batches_per_epoch

    def stepped(self) -> bool:
        """Return whether the last batch completed an optimizer step."""
        return self.batch % self.accumulation == 0 or self.batch == self.total_batches

    def state(self, runner: Runner, model: nn.Module) -> dict[str, Any]:
        """Return the content of a checkpoint. Call it on every rank, for the random states."""
        averages = self.averages.held()
        return {
            **({} if averages is None else {"averages": averages}),
            "model": checkpoints.trained_state(model),
            "optimizer": runner.optim_wrapper.state_dict(),
            "schedulers": [scheduler.state_dict() for scheduler in runner.param_schedulers or ()],
            "position": {
                "batch": self.batch,
                "total_batches": self.total_batches,
                "step": self.step,
                "best_value": self.best_value,
                "best_step": self.best_step,
                "without_better": self.without_better,
            },
            "random": _gather(checkpoints.random_state(), self.world),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Set the counters from a checkpoint; `restore` sets the rest when training begins."""
        for name, value in state["position"].items():
            setattr(self, name, value)
        self.resumed = state

    def restore(self, runner: Runner, model: nn.Module) -> None:
        """Restore optimizer, schedulers and this rank's random state from the checkpoint of `load_state`.

        Averages of weights go on from it, or begin with the model's.

        Raises:
            InputError: the checkpoint is from another number of processes.
        """
        state, self.resumed = self.resumed, None
        self.averages.begin(model, state.get("averages") if state is not None else None)
        if state is None:
            return
        if len(state["random"]) != self.world.size:
            raise InputError(
                f"the checkpoint was made by {len(state['random'])} processes, not {self.world.size}."
                " Resume with as many processes."
            )
        runner.optim_wrapper.load_state_dict(state["optimizer"])
        for scheduler, saved in zip(runner.param_schedulers or (), state["schedulers"], strict=True):
            scheduler.load_state_dict(saved)
        checkpoints.restore_random_state(state["random"][self.world.rank])


def _gather(value: object, world: World) -> list[Any]:
    if world.size == 1:
        return [value]
    import torch.distributed

    values: list[Any] = [None] * world.size
    torch.distributed.all_gather_object(values, value)
    return values
