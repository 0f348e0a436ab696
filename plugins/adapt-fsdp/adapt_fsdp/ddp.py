"""The launcher `ddp`: several processes, each with a complete copy of the model; gradients are averaged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapt_core.distributed.replicated import Replicated
from adapt_core.distributed.world import World

from adapt_fsdp.launcher import ProcessLauncher
from adapt_fsdp.params import DdpParams

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

    from adapt_core.capabilities import Memory, StoredBytes
    from adapt_core.config.plan import Plan


class Ddp(ProcessLauncher[DdpParams]):
    """Distributed data parallel, for every loop.

    S. Li et al.: PyTorch Distributed: Experiences on Accelerating Data Parallel Training. VLDB 2020.
    """

    def on_each_rank(
        self, model: nn.Module, quantized: Mapping[str, StoredBytes], whole: Memory, plan: Plan, processes: int
    ) -> list[Memory]:
        """Return the memory of each rank: everything, and buckets of gradients."""
        from adapt_fsdp.memory_estimate import replicated

        return replicated(whole, processes)

    def parallel_strategy(self, world: World) -> Replicated:
        """Return core's strategy for complete copies."""
        return Replicated(world)
