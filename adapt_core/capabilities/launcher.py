"""What a launcher may support."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import attrs

if TYPE_CHECKING:
    from torch import nn

    from adapt_core.capabilities.quantizer import StoredBytes
    from adapt_core.config.plan import Plan
    from adapt_core.errors import AdaptError
    from adapt_core.result import RunResult


@attrs.frozen(kw_only=True)
class Memory:
    """The bytes of one process of a run on its device.

    Attributes:
        weights, gradients, optimizer: counted from the tensors' shapes and types.
        activations: an estimate: what the backward pass of the largest batch keeps. None where it could not be traced.
        exchanged: what processes exchange at one time: buckets of gradients (ddp), gathered layers (fsdp).
        checkpoint: in main memory, whatever the device, and not in the total: the copy that a checkpoint is written
            from (BACKGROUND_CHECKPOINTS).
    """

    weights: int
    gradients: int
    optimizer: int
    activations: int | None
    exchanged: int = 0
    checkpoint: int = 0

    @property
    def total(self) -> int:
        """The sum of what is known. The process itself (Python, libraries, work space) comes on top."""
        return self.weights + self.gradients + self.optimizer + self.exchanged + (self.activations or 0)


@runtime_checkable
class SupportsRankMemory(Protocol):
    """A launcher that knows beforehand what each of its processes will hold. Optional; `adapt check` uses it."""

    def processes(self) -> int:
        """Return the processes of a run, over all machines."""

    def on_each_rank(
        self, model: nn.Module, quantized: Mapping[str, StoredBytes], whole: Memory, plan: Plan, processes: int
    ) -> list[Memory]:
        """Return what each process holds, by rank; empty where the launcher cannot run such a model.

        Args:
            model: with the method attached, its tensors on "meta".
            quantized: full names (of the plain model) of parameters that will be quantized -> what they take.
            whole: the memory of one process that runs alone.
            plan: the plan.
            processes: over all machines: the plan's where it has several, else the launcher's own.
        """


@runtime_checkable
class SupportsMixedPrecision(Protocol):
    """A launcher with a precision of its own, that wins over BF16 and FP16. Optional; `adapt check` warns of it."""

    def mixed_precision(self) -> str | None:
        """Return "no", "fp16" or "bf16"; None where BF16 and FP16 decide."""


@attrs.frozen(kw_only=True)
class RunCommand:
    """An `adapt run` that a launch file holds.

    Attributes:
        config: the config file, absolute.
        overrides: "KEY=VALUE" strings, as `--set` takes them.
        disabled_plugins: plugins that are switched off.
    """

    config: Path
    overrides: tuple[str, ...] = ()
    disabled_plugins: tuple[str, ...] = ()

    def words(self, config: str | None = None) -> list[str]:
        """Return the command's words behind `adapt`. It resumes, so that a job which is started again goes on.

        Args:
            config: the config's path when the command runs (default: its path now).
        """
        switches = [word for name in self.disabled_plugins for word in ("-p", f"no:{name}")]
        changes = [word for override in self.overrides for word in ("--set", override)]
        return [*switches, "run", config or str(self.config), "--resume", *changes]


@runtime_checkable
class SupportsLaunchFiles(Protocol):
    """A launcher whose runs an existing scheduler can start. Optional; `adapt run --emit` uses it."""

    def launch_file(self, scheduler: str, plan: Plan, command: RunCommand) -> str:
        """Return the launch file's text.

        Args:
            scheduler: "slurm", "kubernetes", "skypilot" or "torchrun".
            plan: the plan of the command's config.
            command: what the file is to run.

        Raises:
            InputError: the scheduler needs a key that is not given.
        """


@runtime_checkable
class SupportsRunStorage(Protocol):
    """A launcher that keeps the run folder in a storage too, from which the run goes on elsewhere. Optional."""

    def stored(self, plan: Plan) -> AbstractContextManager[None]:
        """Return a context in which the run folder of a plan is kept in the storage too.

        It is entered by the command that leads, which has locked the folder. A run that resumes in a folder without one
        first gets what the storage has of it. Checkpoints are stored once they are complete, all else at the end.

        Raises:
            InputError: the storage cannot be read, or does not have at the end what the folder has.
        """


@runtime_checkable
class SupportsSeveralRuns(Protocol):
    """A launcher whose engine can execute several whole runs at one time. Optional; a search of settings uses it."""

    def run_side_by_side(self, plans: Sequence[Plan], at_once: int) -> Iterator[tuple[int, RunResult | AdaptError]]:
        """Yield the index of each plan with its result, or with what ended it, as the runs end.

        Closing the iterator ends the runs that are left.

        Args:
            plans: each is a run of one process, with the launcher `local`.
            at_once: how many run at one time.

        Raises:
            InputError: the engine cannot be reached, or cannot hold so many.
            DefectError: the engine failed.
        """
