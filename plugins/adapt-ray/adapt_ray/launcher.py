"""The launcher `ray`: processes of Ray Train, each with a complete copy of the model; gradients are averaged."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

import attrs

from adapt_core.contracts import Loop, Work
from adapt_core.distributed import torchrun
from adapt_core.distributed.replicated import Replicated
from adapt_core.distributed.world import World
from adapt_core.errors import AdaptError, DefectError, InputError

from adapt_ray.params import RayParams

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from torch import nn

    from adapt_core.capabilities import Memory, StoredBytes
    from adapt_core.config.plan import Plan
    from adapt_core.result import RunResult
    from adapt_core.run_folder.resume import ResumeDecision


class Ray:
    """Data parallel training in workers of Ray Train, on a Ray of this machine or a cluster.

    P. Moritz et al.: Ray: A Distributed Framework for Emerging AI Applications. OSDI 2018.
    """

    def __init__(self, params: RayParams) -> None:
        self.params = params

    def check(self, plan: Plan) -> None:
        """Refuse resources that are no numbers, a cluster that does not answer, more processes than GPUs, and torchrun.

        Raises:
            InputError: with the reason.
        """
        if torchrun.place() is not None:
            raise InputError("launcher: ray starts processes itself. Start it without torchrun, or use DDP: true.")
        for name, amount in (self.params.resources_per_worker or {}).items():
            if isinstance(amount, bool) or not isinstance(amount, (int, float)) or amount < 0:
                raise InputError(f"resources_per_worker: {name} is {amount!r}. Give a number, such as {name}: 1.")
        if self.params.ray_address is not None:
            from adapt_ray.cluster import require_reachable

            require_reachable(self.params.ray_address)
        if self.params.ray_address is not None or self.params.use_cpu or not self.params.num_processes:
            return
        import torch

        gpus = torch.cuda.device_count()
        shared = float(str((self.params.resources_per_worker or {}).get("GPU", 1)))
        if gpus and self.params.num_processes * shared > gpus:
            raise InputError(
                f"num_processes is {self.params.num_processes}, and this machine has {gpus} visible GPUs. Lower "
                "num_processes, or set use_cpu: true."
            )

    def is_coordinator(self) -> bool:
        """Return True: one command starts all processes, wherever they are."""
        return True

    def launch(self, plan: Plan, work: Work, decision: ResumeDecision | None) -> RunResult:
        """Run the plan in workers of Ray Train."""
        from adapt_ray.launch import launch

        assert decision is not None
        chosen = self.mixed_precision()
        options: dict[str, object] = {} if chosen is None else {"bf16": chosen == "bf16", "fp16": chosen == "fp16"}
        return launch(plan, self.params, work, decision, options)

    def mixed_precision(self) -> str | None:
        """Return `mixed_precision`, which wins over BF16 and FP16 where it is given."""
        return self.params.mixed_precision

    def run_side_by_side(self, plans: Sequence[Plan], at_once: int) -> Iterator[tuple[int, RunResult | AdaptError]]:
        """Execute several runs of one process each, by Ray Tune."""
        from adapt_ray.side_by_side import side_by_side

        return side_by_side(plans, self.params, at_once)

    def stored(self, plan: Plan) -> AbstractContextManager[None]:
        """Return a context in which the run folder is kept at `ray_storage_path` too."""
        if self.params.ray_storage_path is None:
            return nullcontext()
        from adapt_ray.storage import stored

        return stored(plan, self.params.ray_storage_path)

    def processes(self) -> int:
        """Return num_processes; where it is not given, what a Ray on this machine would start."""
        if self.params.num_processes:
            return self.params.num_processes
        from adapt_ray.cluster import processes_here

        return processes_here(use_cpu=self.params.use_cpu)

    def on_each_rank(
        self, model: nn.Module, quantized: Mapping[str, StoredBytes], whole: Memory, plan: Plan, processes: int
    ) -> list[Memory]:
        """Return the memory of each rank: everything, and buckets as large as the gradients they average."""
        return [attrs.evolve(whole, exchanged=whole.gradients)] * processes

    def process_group(self, world: World) -> AbstractContextManager[None]:
        """Return a context in which this process belongs to the process group of all ranks."""
        from adapt_ray.process_group import process_group

        return process_group(world, self.params.collective_timeout)

    def parallel_strategy(self, world: World) -> Replicated:
        """Return core's strategy for complete copies."""
        return Replicated(world)

    def verify(self, loop: Loop, world: World) -> None:
        """Check that a loop with a transformers Trainer trains in all processes; others use the process group.

        Raises:
            DefectError: it trains in another number of processes.
        """
        trainer = getattr(loop, "trainer", None)
        if trainer is not None and trainer.args.world_size != world.size:
            raise DefectError(f"the loop trains in {trainer.args.world_size} processes instead of {world.size}.")
