"""The launcher `local`: the run takes place in this very process."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from adapt_core.contracts import Loop, Work
from adapt_core.distributed.replicated import Replicated
from adapt_core.distributed.world import World
from adapt_core.plugin.params import NoParams

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

    from adapt_core.capabilities import Memory, StoredBytes
    from adapt_core.config.plan import Plan
    from adapt_core.result import RunResult
    from adapt_core.run_folder.resume import ResumeDecision

log = logging.getLogger(__name__)


class Local:
    """One process. DEVICE says where it computes: by default on the first visible accelerator, or the CPU."""

    def __init__(self, params: NoParams) -> None:
        self.params = params

    def check(self, plan: Plan) -> None:
        """Refuse a DEVICE that is not here."""
        from adapt_core.distributed.devices import device_remark, first_device

        remark = device_remark(plan, first_device(plan))
        if remark is not None:
            log.warning("%s", remark)

    def is_coordinator(self) -> bool:
        """Return True: the run folder is this process's."""
        return True

    def launch(self, plan: Plan, work: Work, decision: ResumeDecision | None) -> RunResult:
        """Call `work` here, with a world of one."""
        assert decision is not None
        from adapt_core.distributed.devices import first_device

        return work(World(device=first_device(plan)), decision)

    def processes(self) -> int:
        """Return 1."""
        return 1

    def on_each_rank(
        self, model: nn.Module, quantized: Mapping[str, StoredBytes], whole: Memory, plan: Plan, processes: int
    ) -> list[Memory]:
        """Return the memory of one process, which holds everything."""
        return [whole]

    def process_group(self, world: World) -> AbstractContextManager[None]:
        """Do nothing: one process needs no group."""
        return nullcontext()

    def parallel_strategy(self, world: World) -> Replicated:
        """Return the model, which is complete already."""
        return Replicated(world)

    def verify(self, loop: Loop, world: World) -> None:
        """Check nothing: the loop got no options."""
