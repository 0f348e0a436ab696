"""A command that runs a plan: `adapt run`, or `adapt_core.run`. It owns the run folder, unless it is one of several."""

from __future__ import annotations

import logging
import time
from contextlib import AbstractContextManager, nullcontext

import attrs

from adapt_core.capabilities import SupportsRunStorage
from adapt_core.config.plan import Plan
from adapt_core.config.stop_after import stop_after
from adapt_core.contracts import Launcher, Task
from adapt_core.distributed import torchrun
from adapt_core.distributed.world import World
from adapt_core.errors import AdaptError, LostProcessError, RegroupError
from adapt_core.execution.components import Components, check_task, make_launcher, make_task
from adapt_core.execution.test_split import predict_test_split
from adapt_core.nn.pickles import weights_only
from adapt_core.nn.products import fast_products
from adapt_core.plugin.registry import Registry
from adapt_core.result import RunResult
from adapt_core.run_folder.claims import refuse
from adapt_core.run_folder.inputs import refuse_overlap
from adapt_core.run_folder.ownership import Ownership
from adapt_core.run_folder.paths import RunFolder
from adapt_core.run_folder.resume import ResumeDecision, decide_resume, entered, restoring
from adapt_core.runtime.environment_errors import environment_error
from adapt_core.runtime.interrupts import REPEATED_SECONDS, StopRequest, stopped_when
from adapt_core.runtime.logs import FILE_ONLY, log_files, logged_packages, logging_to
from adapt_core.runtime.progress import ProgressReporter, make_reporter
from adapt_core.trackers import end_trackers

log = logging.getLogger(__name__)

_SECONDS_TO_LEAVE = 3.0
"""After a failure on several machines, before one that does not lead joins them again: the leading one must first have
closed the place where they met."""


@attrs.frozen
class Command:
    """A command that runs a plan with its launcher.

    On several machines, or under torchrun, one command coordinates: it locks the run folder and writes the log.
    """

    plan: Plan
    registry: Registry
    launcher: Launcher
    since: float | None = None

    @classmethod
    def of(cls, plan: Plan, registry: Registry, since: float | None = None) -> Command:
        """Return the command of a plan; `since` is when it began (`StopRequest.since`), now without it."""
        return cls(plan, registry, make_launcher(plan), since)

    def execute(self) -> RunResult:
        """Run the plan and return rank 0's result.

        Raises:
            InputError: the data, model or folder is at fault.
            DefectError: adapt or a plugin is at fault.
            InterruptedRunError: a signal stopped training after a checkpoint.
        """
        return self._coordinate() if self.launcher.is_coordinator() else self._follow()

    def _coordinate(self) -> RunResult:
        folder = RunFolder(self.plan.output_dir)
        refuse_overlap(self.plan)
        refuse(folder.path, Ownership.of(folder.path).unclaimed())
        folder.prepare()
        reporter = make_reporter(is_main=True)
        stop = self._stop_request()
        heard = _heard(stop, reporter)
        logged = logging_to(log_files(self.plan, folder), reporter, logged_packages(self.registry))
        with folder.locked(), self._stored(), entered(self.plan, folder), logged, restoring(folder), heard:
            try:
                decision = decide_resume(self.plan, folder)
                if decision.finished is not None:
                    predict_test_split(self.plan, trust=self.plan.model.trust_remote_code)
                    return decision.finished
                log.info("%s with %s -> %s", self.plan.task.name, self.plan.method.name, folder.path)
                for remark in self.plan.remarks:
                    log.info("%s", remark)
                result = self._launch_until_done(reporter, stop, decision)
                # The model in the folder is this run's own, so its pickle is trusted.
                trusted = self.plan.model.trust_remote_code or self.plan.run.save_method == "full_torch_model"
                predict_test_split(self.plan, trust=trusted)
                return result
            except AdaptError as error:
                log.error("%s", error, extra=FILE_ONLY)  # noqa: TRY400 - a traceback does not help with a user's error
                raise
            except KeyboardInterrupt as error:
                log.warning("interrupted%s", f" by {error}" if str(error) else "", extra=FILE_ONLY)
                if folder.checkpoints.exists():
                    reporter.message("Earlier checkpoints are kept. Continue with the same command and --resume.")
                raise
            except Exception as error:
                found = environment_error(error, folder)
                if found is None:
                    log.exception("a defect of adapt or of a library", extra=FILE_ONLY)
                    raise
                log.exception("%s", found, extra=FILE_ONLY)
                raise found from error
            finally:
                reporter.close()

    def _stored(self) -> AbstractContextManager[None]:
        """Return a context in which the run folder is kept where the launcher keeps runs, too."""
        launcher = self.launcher
        return launcher.stored(self.plan) if isinstance(launcher, SupportsRunStorage) else nullcontext()

    def _follow(self) -> RunResult:
        process = torchrun.place()
        reporter = make_reporter(is_main=process is None or process.local_rank == 0)
        stop = self._stop_request()
        with logging_to([], reporter, logged_packages(self.registry)), _heard(stop, reporter):
            return self._launch_until_done(reporter, stop, None)

    def _launch_until_done(
        self, reporter: ProgressReporter, stop: StopRequest, decision: ResumeDecision | None
    ) -> RunResult:
        """Launch the run, and again from its newest checkpoint: where a process was lost, RETRIES times at most.

        Where a machine joins, that is none of them.
        """
        command, retries = self, 0 if torchrun.place() else self.plan.training.retries
        while True:
            try:
                return command._launch(reporter, stop, decision)
            except RegroupError as error:
                if stop.asked:
                    raise stopped_when(stop.asked, error) from None
                log.info("%s", error)
                waits = 0.0
            except LostProcessError as error:
                if not retries or stop.asked:
                    raise
                log.warning("%s", error)
                log.warning("The run goes on from its newest complete checkpoint (RETRIES: %d left).", retries - 1)
                retries -= 1
                waits = _SECONDS_TO_LEAVE
            resumed = attrs.evolve(self.plan, resume="auto")
            command = attrs.evolve(self, plan=resumed, launcher=make_launcher(resumed))
            if decision is not None:
                decision = decide_resume(resumed, RunFolder(resumed.output_dir))
            else:
                time.sleep(waits)

    def _stop_request(self) -> StopRequest:
        return StopRequest(stop_after(self.plan.training.stop_after), self.since)

    @weights_only()
    def _launch(self, reporter: ProgressReporter, stop: StopRequest, decision: ResumeDecision | None) -> RunResult:
        task = make_task(self.plan)
        check_task(self.plan, task)
        from adapt_core.distributed.devices import choose_gpus

        choose_gpus(self.plan.run.cuda_id)
        self.launcher.check(self.plan)

        return self.launcher.launch(self.plan, _Work(self, task, reporter, stop), decision)


def _heard(stop: StopRequest, reporter: ProgressReporter) -> AbstractContextManager[None]:
    """Return a context in which signals ask for the stop; torchrun sends its processes several for one request."""
    return stop.on_signals(reporter.message, repeated=REPEATED_SECONDS if torchrun.place() else 0.0)


@attrs.frozen
class _Work:
    """The command's run in this process."""

    command: Command
    task: Task
    reporter: ProgressReporter
    stop: StopRequest

    def __call__(self, world: World, decision: ResumeDecision) -> RunResult:
        """Execute it as one process of a world."""
        from adapt_core.execution.pipeline import Run

        command = self.command
        run = Run(
            plan=command.plan,
            world=world,
            components=Components.of(command.plan, task=self.task, launcher=command.launcher),
            registry=command.registry,
            reporter=self.reporter,
            decision=decision,
            stop=self.stop,
        )
        try:
            with fast_products(wanted=command.plan.training.fast_products):
                return run.execute()
        finally:
            end_trackers(command.registry)
