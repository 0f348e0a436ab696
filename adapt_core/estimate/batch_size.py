"""The batch size that memory allows, foretold as `adapt check` foretells memory, and whether a run fits at all."""

from __future__ import annotations

import attrs

from adapt_core.capabilities import Memory, SupportsRankMemory
from adapt_core.config.plan import Plan
from adapt_core.errors import InputError
from adapt_core.estimate.estimate import foretold_memory
from adapt_core.execution.components import Components
from adapt_core.nn.accelerators import SHARES_MEMORY, free_memory
from adapt_core.plugin.registry import Registry
from adapt_core.runtime.format import size

SHARE = 0.9
"""Of the free memory. The estimate counts tensors; workspaces of kernels and what allocators round up to come on top:
`benchmarks.memory` finds some per cent."""


@attrs.frozen(kw_only=True)
class Fit:
    """A batch size, and what it was chosen by.

    Attributes:
        batch_size: rows that each process's model sees at a time.
        accumulation: batches of a step.
        needed, free: bytes on `device`.
    """

    @property
    def is_room(self) -> bool:
        """Whether it fits in nine tenths of the free memory."""
        return self.needed <= SHARE * self.free

    @property
    def memory(self) -> str:
        """What is needed of what is free, in words."""
        return f"about {size(self.needed)} of the {size(self.free)} that are free ({self.device})"

    batch_size: int
    accumulation: int
    needed: int
    free: int
    device: str

    def __str__(self) -> str:
        each = "" if self.accumulation == 1 else f", {self.accumulation} times a step"
        return f"BATCH_SIZE auto: {self.batch_size} at a time{each}: {self.memory}"


@attrs.frozen
class Room:
    """The memory that a run may take.

    Attributes:
        device: where it trains.
        processes: of the run.
        beside: bytes that a process takes beside the model on the device.
        free: bytes.
    """

    device: str
    processes: int
    beside: int
    free: int

    @classmethod
    def of(cls, plan: Plan) -> Room:
        """Return the memory that is free now for a plan."""
        from adapt_core.distributed.devices import first_device

        device = first_device(plan)
        launcher: object = Components.of(plan).launcher
        processes = launcher.processes() if isinstance(launcher, SupportsRankMemory) else 1
        return cls(device, processes, *_free(device))

    def needed(self, memory: Memory) -> int:
        """Return what all processes take on the device, or one of them where each has a device of its own."""
        return (memory.total + self.beside) * (self.processes if self.device in SHARES_MEMORY else 1)


def fit_batch_size(plan: Plan, registry: Registry) -> Fit:
    """Return the largest batch size that fits among those that divide a step's rows.

    Args:
        plan: for the rows of a step, BATCH_SIZE x GRADIENT_ACCUMULATION_STEPS of each process.
        registry: for the task and the launchers.

    Raises:
        InputError, DataError: what the run would refuse; one row does not fit; or memory cannot be foretold.
    """
    fit = largest_fit(plan, registry, Room.of(plan))
    if fit is None:
        raise InputError(
            f"BATCH_SIZE auto: the memory of {plan.task.name} with this model cannot be foretold. Give a number."
        )
    if not fit.is_room:
        raise InputError(
            f"BATCH_SIZE auto: with one row at a time about {size(fit.needed)} are needed, and {size(fit.free)} are "
            f"free ({fit.device}). Set GRADIENT_CHECKPOINTING: true, or train an adapter (LoRA) on a 4-bit base."
        )
    return fit


def largest_fit(plan: Plan, registry: Registry, room: Room) -> Fit | None:
    """Return the largest batch size that fits, or the least there is; None where memory cannot be foretold.

    Args:
        plan: with FIT_BATCH_SIZE; without it only its own batch size is looked at.
        registry: for the task and the launchers.
        room: that the plan has.

    Raises:
        InputError, DataError: what the run would refuse.
    """
    rows = plan.training.rows_per_step
    sizes = [number for number in range(rows, 0, -1) if rows % number == 0]
    if not plan.training.fit_batch_size:
        sizes = [plan.training.batch_size]
    while True:
        tried = with_batch(plan, sizes[0], rows // sizes[0])
        memory = foretold_memory(tried, registry, room.device)
        if memory is None or memory.activations is None:
            return None
        needed = room.needed(memory)
        fit = Fit(batch_size=sizes[0], accumulation=rows // sizes[0], needed=needed, free=room.free, device=room.device)
        if fit.is_room or len(sizes) == 1:
            return fit
        sizes = _smaller(sizes, memory, needed, SHARE * room.free)


def with_batch(plan: Plan, batch_size: int, accumulation: int) -> Plan:
    """Return a plan with another batch size."""
    training = attrs.evolve(plan.training, batch_size=batch_size, gradient_accumulation_steps=accumulation)
    return attrs.evolve(plan, training=training)


def _smaller(sizes: list[int], memory: Memory, needed: int, budget: float) -> list[int]:
    """Return the sizes below the first one, from the one on that fits if activations grow with the rows."""
    assert memory.activations is not None
    times = needed / memory.total  # processes that share the memory
    of_row = times * memory.activations / sizes[0]
    fits = (budget - (needed - times * memory.activations)) / of_row if of_row else 0.0
    return [number for number in sizes[1:] if number <= fits] or sizes[-1:]


def _free(device: str) -> tuple[int, int]:
    """Return what a process takes beside the model on a device, and what is free there for it, in bytes."""
    import psutil

    from adapt_core.distributed.devices import free_memory_bytes

    if device in SHARES_MEMORY:
        own = psutil.Process().memory_info().rss
        return own, free_memory_bytes() + own
    return 0, free_memory(device)
