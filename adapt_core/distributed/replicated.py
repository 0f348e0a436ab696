"""The strategy of a launcher whose processes each hold a complete model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from adapt_core.distributed.world import World
from adapt_core.errors import DefectError

if TYPE_CHECKING:
    from torch import nn


class HoldsModel(Protocol):
    """The part of a training loop (`adapt_core.contracts.Loop`) that this strategy uses."""

    def unwrap_model(self) -> nn.Module:
        """Return the attached model without wrappers."""


class Replicated:
    """Data parallel training: each process steps its own copy of the model on averaged gradients (Li et al. 2020).

    Serves runs of one process too. S. Li et al.: PyTorch Distributed: Experiences on Accelerating Data Parallel
    Training. VLDB 2020.
    """

    def __init__(self, world: World) -> None:
        self._world = world

    def setup(self, loop: HoldsModel) -> None:
        """Leave the loop as it is."""

    def prepare_evaluation(self, loop: HoldsModel) -> None:
        """Leave the model as it is: each process evaluates its own copy."""

    def prepare_training(self, loop: HoldsModel) -> None:
        """Let accelerate wrap a model that was evaluated before, where the loop has a transformers Trainer.

        accelerate marks a model that it prepared for evaluation as prepared for good, and would then train it
        unwrapped: each process by itself, without a warning.
        """
        trainer = getattr(loop, "trainer", None)
        if trainer is None or self._world.size == 1:
            return
        trainer.model = trainer.model_wrapped = loop.unwrap_model()
        trainer.model._is_accelerate_prepared = False
        trainer.accelerator._models.clear()

    def check_step(self, model: nn.Module) -> None:
        """Check that gradients are averaged over the processes.

        Raises:
            DefectError: the model is not in a `DistributedDataParallel`.
        """
        if self._world.size == 1:
            return
        from torch.nn.parallel import DistributedDataParallel

        if not isinstance(model, DistributedDataParallel):
            raise DefectError(
                "the processes would train separate models: the model is not wrapped to average gradients."
            )

    def gather_model(self, model: nn.Module) -> nn.Module:
        """Return the model itself, which is complete."""
        return model
