"""What the launchers of several processes share."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Generic, TypeVar

from adapt_core.contracts import Loop, Work
from adapt_core.distributed import torchrun
from adapt_core.distributed.world import World
from adapt_core.errors import DefectError
from adapt_core.run_folder.paths import RunFolder

from adapt_fsdp.params import ProcessParams

if TYPE_CHECKING:
    from transformers import Trainer

    from adapt_core.capabilities import RunCommand
    from adapt_core.config.plan import Plan
    from adapt_core.result import RunResult
    from adapt_core.run_folder.resume import ResumeDecision

log = logging.getLogger(__name__)

ParamsT = TypeVar("ParamsT", bound=ProcessParams)


class ProcessLauncher(Generic[ParamsT]):
    """A launcher of several processes on one machine or several, over gloo on the CPU and nccl on GPUs.

    Derived classes say how the processes share the model (`parallel_strategy`) and what each rank holds
    (`on_each_rank`).
    """

    def __init__(self, params: ParamsT) -> None:
        self.params = params
        _ = params.machine_range  # raises for what is none

    def is_coordinator(self) -> bool:
        """Whether this is machine 0; where torchrun starts the processes, whether this is rank 0."""
        place = torchrun.place()
        return self.params.machine_rank == 0 if place is None else place.rank == 0

    def check(self, plan: Plan) -> None:
        """Check processes and machines; see `check_processes`."""
        from adapt_fsdp.validation import check_processes

        check_processes(self.params, plan)

    def launch(self, plan: Plan, work: Work, decision: ResumeDecision | None) -> RunResult:
        """Run the plan in worker processes, or in this one where torchrun started it.

        A run that `--resume` finds finished is left: the coordinator finds it too, and starts nothing.
        """
        from adapt_fsdp.launch import launch
        from adapt_fsdp.torchrun import run_as_worker

        folder = RunFolder(plan.output_dir)
        done = folder.finished() if decision is None and plan.resume == "auto" else None
        if done is not None:
            log.info("%s holds a finished run: nothing to train.", folder.path)
            return done
        options = self.training_arguments(plan)
        place = torchrun.place()
        if place is not None:
            return run_as_worker(plan, self, work, decision, place, options)
        return launch(plan, self.params, decision, work.stop, options, self.environment())

    def training_arguments(self, plan: Plan) -> dict[str, object]:
        """Return the training arguments that the loop of each process gets: the precision, where it is given."""
        chosen = self.mixed_precision()
        return {} if chosen is None else {"bf16": chosen == "bf16", "fp16": chosen == "fp16"}

    def mixed_precision(self) -> str | None:
        """Return `mixed_precision`, which wins over BF16 and FP16 where it is given."""
        return self.params.mixed_precision

    def environment(self) -> Mapping[str, str]:
        """Return environment variables of each process, beside those that torch.distributed reads."""
        return {}

    def processes(self) -> int:
        """Return the number of processes on all machines."""
        from adapt_fsdp.devices import process_count

        return process_count(self.params) * self.params.machines

    def launch_file(self, scheduler: str, plan: Plan, command: RunCommand) -> str:
        """Return a launch file for "slurm", "kubernetes", "skypilot" or "torchrun"; see `adapt_fsdp.launch_files`."""
        from adapt_fsdp.launch_files import WRITERS

        return WRITERS[scheduler](plan, command)

    def process_group(self, world: World) -> AbstractContextManager[None]:
        """Return a context in which this process belongs to the process group of all ranks."""
        from adapt_fsdp.process_group import process_group

        return process_group(world, self.params.collective_timeout)

    def verify(self, loop: Loop, world: World) -> None:
        """Check that a loop with a transformers Trainer trains in all processes; others use the process group.

        Raises:
            DefectError: it trains in another number of processes.
        """
        trainer = trainer_of(loop)
        if trainer is not None and trainer.args.world_size != world.size:
            raise DefectError(f"the loop trains in {trainer.args.world_size} processes instead of {world.size}.")


def trainer_of(loop: Loop) -> Trainer | None:
    """Return the transformers Trainer of a loop, or None where it trains in another way."""
    trainer: Trainer | None = getattr(loop, "trainer", None)
    return trainer
