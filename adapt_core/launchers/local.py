"""The launcher `local`: the run takes place in this very process."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from adapt_core.contracts import Loop, Work, World

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

    from adapt_core.admission import Admission
    from adapt_core.extras import StoredBytes
    from adapt_core.forecast.memory import Memory
    from adapt_core.plan import Plan
    from adapt_core.result import RunResult


class Local:
    """One process. Its device is the first visible GPU, or the CPU."""

    def __init__(self, params: Any) -> None:
        self.params = params

    def check(self, plan: Plan) -> None:
        """Nothing to refuse: one process runs everywhere."""

    def leads(self) -> bool:
        """The run folder is this process's."""
        return True

    def launch(self, plan: Plan, work: Work, admission: Admission | None) -> RunResult:
        """Calls `work` here, with a world of one."""
        assert admission is not None
        from adapt_core.devices import first_device

        return work(plan, World(device=first_device()), admission)

    def processes(self) -> int:
        """One."""
        return 1

    def on_each_rank(
        self, model: nn.Module, quantized: Mapping[str, StoredBytes], whole: Memory, plan: Plan, processes: int
    ) -> list[Memory]:
        """The one process holds everything."""
        return [whole]

    def join(self, world: World) -> AbstractContextManager[None]:
        """One process belongs to no group."""
        return nullcontext()

    def verify(self, loop: Loop, world: World) -> None:
        """Nothing was asked of the loop."""

    def consolidate(self, model: nn.Module) -> nn.Module:
        """The model is whole already."""
        return model
