"""The launcher `ddp`: several processes, each with a whole copy of the model; gradients are averaged."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from adapt_core.contracts import Loop, World
from adapt_core.errors import DefectError

from adapt_fsdp.params import DdpParams

if TYPE_CHECKING:
    from torch import nn

    from adapt_core.admission import Admission
    from adapt_core.plan import Plan
    from adapt_core.result import RunResult


class Ddp:
    """Distributed data parallel, over gloo on the CPU and nccl on GPUs."""

    def __init__(self, params: DdpParams) -> None:
        self.params = params

    def leads(self) -> bool:
        """Machine 0 holds the run folder."""
        return self.params.machine_rank == 0

    def check(self, plan: Plan) -> None:
        """See `check_processes`."""
        from adapt_fsdp.launching import check_processes

        check_processes(self.params, plan)

    def launch(self, plan: Plan, work: Callable[[Plan, World], RunResult], admission: Admission | None) -> RunResult:
        """Runs the plan in worker processes."""
        from adapt_fsdp.launching import launch, precision_options

        return launch(plan, self.params, admission, precision_options(self.params))

    def join(self, world: World) -> AbstractContextManager[None]:
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

    def consolidate(self, model: nn.Module) -> nn.Module:
        """Each rank's copy is whole."""
        return model
