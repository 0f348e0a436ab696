"""The launcher `fsdp`: several processes that shard weights, gradients and optimizer state (FSDP version 2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from adapt_core.contracts import Loop
from adapt_core.distributed.world import World
from adapt_core.errors import DefectError

from adapt_fsdp.launcher import ProcessLauncher, trainer_of
from adapt_fsdp.params import FsdpParams

if TYPE_CHECKING:
    from torch import nn

    from adapt_core.capabilities import Memory, StoredBytes
    from adapt_core.config.plan import Plan

    from adapt_fsdp.strategy import FsdpStrategy


class Fsdp(ProcessLauncher[FsdpParams]):
    """Fully sharded data parallel: by accelerate for the Hugging Face loop; other loops shard the model themselves.

    Y. Zhao et al.: PyTorch FSDP: Experiences on Scaling Fully Sharded Data Parallel. VLDB 2023.
    """

    def __init__(self, params: FsdpParams) -> None:
        super().__init__(params)
        self._strategy: FsdpStrategy | None = None

    def check(self, plan: Plan) -> None:
        """Check the keys of FSDP, then processes and machines; see `check_sharding` and `check_processes`."""
        from adapt_fsdp.devices import device_count
        from adapt_fsdp.validation import check_sharding

        check_sharding(self.params, plan, on_gpus=device_count(self.params) > 0)
        super().check(plan)

    def training_arguments(self, plan: Plan) -> dict[str, object]:
        """Return the training arguments that the loop of each process gets: sharding and precision."""
        from adapt_fsdp.devices import device_count
        from adapt_fsdp.wrap_policy import sharding_arguments

        on_gpus = device_count(self.params) > 0
        sharding = sharding_arguments(self.params, plan.training.gradient_checkpointing, on_gpus=on_gpus)
        return {**sharding, **super().training_arguments(plan)}

    def environment(self) -> Mapping[str, str]:
        """Return accelerate's debug mode, where it is wanted."""
        return {"ACCELERATE_DEBUG_MODE": "1"} if self.params.debug else {}

    def on_each_rank(
        self, model: nn.Module, quantized: Mapping[str, StoredBytes], whole: Memory, plan: Plan, processes: int
    ) -> list[Memory]:
        """Return the memory of each rank; nothing for a quantized base that cannot be sharded."""
        from adapt_fsdp.memory_estimate import sharded
        from adapt_fsdp.validation import can_shard_base

        if not can_shard_base(plan):
            return []
        return sharded(model, quantized, whole, plan.training.optimizer, self.params, processes)

    @contextmanager
    def process_group(self, world: World) -> Iterator[None]:
        """Join the process group of all ranks; on a CPU, set accelerate's state too, which has no FSDP there."""
        with super().process_group(world):
            if world.device == "cpu":
                _shard_on_the_cpu()
            yield

    def parallel_strategy(self, world: World) -> FsdpStrategy:
        """Return what shards the model of this process's loop."""
        from adapt_fsdp.strategy import FsdpStrategy

        self._strategy = FsdpStrategy(self.params, world)
        return self._strategy

    def verify(self, loop: Loop, world: World) -> None:
        """Check that the loop shards: by its Trainer, or, where it has none, that its parameters are sharded.

        Raises:
            DefectError: the loop would train unsharded or in another number of processes, or its complete model
                cannot be gathered after training.
        """
        trainer = trainer_of(loop)
        if trainer is None:
            self._verify_parameters(loop)
            return
        from accelerate.utils import DistributedType

        kind = trainer.accelerator.distributed_type
        if kind != DistributedType.FSDP or not trainer.accelerator.is_fsdp2:
            raise DefectError(f"FSDP was asked for, and accelerate would train with {kind}.")
        super().verify(loop, world)

    def _verify_parameters(self, loop: Loop) -> None:
        from adapt_core.distributed.sharding import is_sharded

        name = type(loop).__name__
        if not any(is_sharded(parameter) for parameter in loop.unwrap_model().parameters()):
            raise DefectError(
                f"FSDP was asked for, and {name} does not shard the model: it has no transformers Trainer (`trainer`), "
                "and no parameter of its model is a DTensor. Train under DDP: true, or shard the model when the loop "
                "is built (torch.distributed.fsdp.fully_shard)."
            )
        if self._strategy is not None and not self._strategy.is_set_up:
            raise DefectError(
                f"{name} sharded the model before it called `job.strategy.setup(loop)`: the complete model could not "
                "be gathered after training."
            )


def _shard_on_the_cpu() -> None:
    """Configure accelerate's state such that its FSDP code runs on the CPU.

    accelerate turns several processes into FSDP only where they have accelerator devices. A state that is configured
    before TrainingArguments is a documented way in (`use_configured_state`); its kind is set to the one that accelerate
    itself turns into FSDP, and its device stays the CPU.
    """
    from accelerate import PartialState
    from accelerate.utils import DistributedType

    PartialState(cpu=True).distributed_type = DistributedType.MULTI_GPU
