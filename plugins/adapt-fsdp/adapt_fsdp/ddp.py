"""The launcher `ddp`: several processes, each with a whole copy of the model; gradients are averaged."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from adapt_core.contracts import Loop, Work
from adapt_core.distributed import torchrun
from adapt_core.distributed.world import World
from adapt_core.errors import DefectError

from adapt_fsdp.params import DdpParams

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

    from adapt_core.capabilities import Memory, RunCommand, StoredBytes
    from adapt_core.config.plan import Plan
    from adapt_core.result import RunResult
    from adapt_core.run_folder.resume import ResumeDecision


class Ddp:
    """Distributed data parallel, over gloo on the CPU and nccl on GPUs."""

    def __init__(self, params: DdpParams) -> None:
        self.params = params

    def is_coordinator(self) -> bool:
        """Machine 0 holds the run folder; where torchrun starts the processes, rank 0 does."""
        place = torchrun.place()
        return self.params.machine_rank == 0 if place is None else place.rank == 0

    def check(self, plan: Plan) -> None:
        """See `check_processes`."""
        from adapt_fsdp.launching import check_processes

        check_processes(self.params, plan)

    def launch(self, plan: Plan, work: Work, decision: ResumeDecision | None) -> RunResult:
        """Runs the plan in worker processes, or as the one that torchrun started."""
        from adapt_fsdp.launching import launch, precision_options
        from adapt_fsdp.under_torchrun import work_as_one

        options = precision_options(self.params)
        place = torchrun.place()
        if place is not None:
            return work_as_one(plan, self.params, self, work, decision, place, options)
        return launch(plan, self.params, decision, options)

    def processes(self) -> int:
        """The processes of all machines."""
        from adapt_fsdp.launching import processes_here

        return processes_here(self.params) * self.params.machines

    def on_each_rank(
        self, model: nn.Module, quantized: Mapping[str, StoredBytes], whole: Memory, plan: Plan, processes: int
    ) -> list[Memory]:
        """See `adapt_fsdp.forecasting`."""
        from adapt_fsdp.forecasting import copied

        return copied(whole, processes)

    def launch_file(self, scheduler: str, plan: Plan, command: RunCommand) -> str:
        """See `adapt_fsdp.emitting`."""
        from adapt_fsdp.emitting import WRITERS

        return WRITERS[scheduler](plan, command)

    def process_group(self, world: World) -> AbstractContextManager[None]:
        """The process group of all ranks."""
        from adapt_fsdp.joining import process_group

        return process_group(world, self.params.collective_timeout)

    def verify(self, loop: Loop, world: World) -> None:
        """Sees that a Hugging Face loop trains with all ranks; other loops use the process group that is there.

        Raises:
            DefectError: it does not.
        """
        trainer = getattr(loop, "trainer", None)
        if trainer is not None and trainer.args.world_size != world.size:
            raise DefectError(f"the loop trains in {trainer.args.world_size} processes instead of {world.size}.")

    def gather_model(self, model: nn.Module) -> nn.Module:
        """Each rank's copy is whole."""
        return model
