"""The processes of a run."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

from adapt_core.config.plan import ParamsT, Plan
from adapt_core.contracts.loop import Loop, ParallelStrategy
from adapt_core.distributed.world import World
from adapt_core.runtime.interrupts import StopRequest
from adapt_core.runtime.progress import ProgressReporter

if TYPE_CHECKING:
    from adapt_core.result import RunResult
    from adapt_core.run_folder.resume import ResumeDecision


class Work(Protocol):
    """A run in this process, ready for a launcher to call.

    Attributes:
        stop: the request to stop. The process that calls this object heeds it; a launcher whose processes are others
            passes it on to them (`StopRequest.passed_on`), else a signal ends the run at once.
        reporter: shows messages and progress. For a launcher whose processes have no screen of this command's.
    """

    @property
    def stop(self) -> StopRequest:
        """See above."""

    @property
    def reporter(self) -> ProgressReporter:
        """See above."""

    def __call__(self, world: World, decision: ResumeDecision) -> RunResult:
        """Execute the run as one process of a world and return its result."""


class Launcher(Protocol[ParamsT]):
    """Starts the processes of a run. Constructed with its params instance."""

    def __init__(self, params: ParamsT) -> None: ...

    def check(self, plan: Plan) -> None:
        """Refuse what this machine or plan cannot do, before any process starts.

        Raises:
            InputError: with the reason.
        """

    def is_coordinator(self) -> bool:
        """Return whether this command locks and writes the run folder: False on machines other than the first.

        Asked first of all, without torch.
        """

    def launch(self, plan: Plan, work: Work, decision: ResumeDecision | None) -> RunResult:
        """Run a plan in every process and return rank 0's result.

        The processes are this one, which calls `work`; or those of
        `python -m adapt_core.execution.worker`, which read `adapt_core.execution.worker.message` from standard input;
        or those of another engine, which call `adapt_core.execution.worker.serve`.

        Args:
            plan: the plan.
            work: the whole run in this process.
            decision: how the run enters its folder; None where this command does not lead.
        """

    def process_group(self, world: World) -> AbstractContextManager[Any]:
        """Return a context in which a worker process belongs to the run (its process group); it is entered first."""

    def parallel_strategy(self, world: World) -> ParallelStrategy:
        """Return how this process shares the model with the others, for the loop.

        `adapt_core.distributed.replicated.Replicated` serves where each process holds a complete model.
        """

    def verify(self, loop: Loop, world: World) -> None:
        """Check the loop in each process, once it is built.

        Raises:
            DefectError: the loop does not run as this launcher asked (say, unsharded).
        """
