"""A run on Ray: its driver started and watched, and rank 0's result."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

import attrs

from adapt_core.config.plan import Plan
from adapt_core.contracts import Work
from adapt_core.distributed.world import World
from adapt_core.errors import DefectError, InputError, LostProcessError
from adapt_core.execution.worker import message
from adapt_core.execution.worker_protocol import Report
from adapt_core.result import RunResult
from adapt_core.run_folder.resume import ResumeDecision
from adapt_core.runtime.interrupts import StopRequest
from adapt_core.runtime.progress import VERBOSITY, ProgressReporter, verbosity

from adapt_ray.cluster import QUIET, local_environment, processes_here, reserved
from adapt_ray.failures import first_failure, of_ray, raise_interruption
from adapt_ray.params import RayParams

log = logging.getLogger(__name__)

_POLL_INTERVAL = 0.2
_CAUSE_TIMEOUT = 20.0
"""Seconds: Ray finds a dead worker some seconds after the others lost their connection to it."""
_SECONDS_TO_END = 20.0
_LAST_CHARACTERS = 2000


@attrs.define
class Outcome:
    """What is known of the processes of a run.

    Attributes:
        processes: how many there are; None until Ray said so.
        begun: ranks that run.
        reports: how they ended, by rank.
        lost: why workers ended without a report; see `adapt_ray.failures.reasons`.
        settled: whether nothing more will be told.
    """

    processes: int | None = None
    begun: set[int] = attrs.field(factory=set)
    reports: dict[int, Report] = attrs.field(factory=dict)
    lost: dict[int, dict[str, Any]] = attrs.field(factory=dict)
    settled: bool = False

    @property
    def decided(self) -> bool:
        """Whether all processes ended, or one failed by itself."""
        every = self.processes is not None and len(self.reports) == self.processes
        return every or self.settled or bool(self.lost) or any(report.is_cause for report in self.reports.values())


def launch(
    plan: Plan, params: RayParams, work: Work, decision: ResumeDecision, options: Mapping[str, object]
) -> RunResult:
    """Run a plan in workers of Ray Train, and return rank 0's result.

    Args:
        plan: the plan.
        params: the launcher's.
        work: the run, for its stop request and reporter.
        decision: how the run starts or resumes.
        options: training arguments for the loop of each process.

    Raises:
        InputError, DefectError: the first failure, with its rank.
        InterruptedRunError: all processes stopped with a checkpoint.
        KeyboardInterrupt: a second signal, or one before or after training.
    """
    scratch = tempfile.mkdtemp(prefix="adapt-ray-")
    outcome = Outcome()
    job = _job(plan, params, work, decision, options, scratch)
    with driver_of(job) as driver, work.stop.passed_on(lambda number: _pass_on(driver, outcome, work.stop, number)):
        _watch(driver, outcome, work)
        printed = driver.printed()
    if outcome.processes is None:
        raise DefectError(f"Ray's driver ended before the run began. It printed last:\n{printed}")
    raise_interruption(outcome.reports, outcome.processes, work.stop)
    failure = first_failure(outcome.reports, outcome.lost, params.collective_timeout)
    if failure is not None:
        raise failure
    if len(outcome.reports) < outcome.processes:
        raise LostProcessError("Ray's driver died. --resume continues from the newest complete checkpoint.")
    result = outcome.reports[0].result
    assert result is not None
    return RunResult.from_json(result)


def _job(
    plan: Plan,
    params: RayParams,
    work: Work,
    decision: ResumeDecision,
    options: Mapping[str, object],
    scratch: str,
) -> dict[str, Any]:
    received = json.loads(message(plan, World(options=options), decision, steps=work.stop.steps_before(decision.step)))
    processes = params.num_processes
    if params.ray_address is None:
        processes = processes or processes_here(use_cpu=params.use_cpu)
    return {
        "address": params.ray_address,
        "use_cpu": params.use_cpu,
        "processes": processes,
        "resources": reserved(params, processes),
        "scratch": scratch,
        "config": {
            "received": received,
            "began": time.time() - (time.monotonic() - work.stop.since),
            "folder": os.getcwd(),
            "output": str(plan.output_dir),
            "environment": {VERBOSITY: verbosity()},
        },
    }


@attrs.define
class Driver:
    """Ray's driver while it runs.

    Attributes:
        process: its process.
        log: what it prints.
        events: what it tells; None at its end.
    """

    process: subprocess.Popen[str]
    log: Path
    events: SimpleQueue[dict[str, Any] | None] = attrs.field(factory=SimpleQueue)

    def printed(self) -> str:
        """Return what it printed last."""
        return self.log.read_text(encoding="utf-8", errors="replace")[-_LAST_CHARACTERS:].strip()

    def say(self, line: str) -> None:
        """Write a line to its standard input."""
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):  # it ended already; `_watch` finds out
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()


@contextmanager
def driver_of(job: Mapping[str, Any]) -> Iterator[Driver]:
    """Start Ray's driver; when the block ends, however it ends, nothing of it or of a Ray that it started is left."""
    environment = {**os.environ, **QUIET, "PYTHONSAFEPATH": "1"}
    if job["address"] is None:
        environment.update(local_environment())
    scratch = Path(job["scratch"])
    with (scratch / "driver.log").open("wb") as output:  # Ray says there what the command tells in its own way
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "adapt_ray.driver"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            text=True,
            encoding="utf-8",
            env=environment,
            process_group=0,
        )
    driver = Driver(process, scratch / "driver.log")
    Thread(target=_read, args=(driver,), daemon=True, name="ray-events").start()
    try:
        driver.say(json.dumps(job))
        yield driver
    finally:
        with suppress(BrokenPipeError):
            assert process.stdin is not None
            process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            process.wait(_SECONDS_TO_END)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        shutil.rmtree(scratch, ignore_errors=True)


def _read(driver: Driver) -> None:
    assert driver.process.stdout is not None
    for line in driver.process.stdout:
        driver.events.put(json.loads(line))
    driver.events.put(None)


def _pass_on(driver: Driver, outcome: Outcome, stop: StopRequest, number: int) -> None:
    """Pass a signal on to the workers; where none runs yet, it ends the run at once."""
    if not outcome.begun:
        raise KeyboardInterrupt(stop.asked)
    driver.say(f"stop {number}")


def _watch(driver: Driver, outcome: Outcome, work: Work) -> None:
    """Follow the run until all processes ended well, one failed, or a signal ended it.

    After a failure that another process must have caused (a broken connection), wait for the cause.
    """
    deadline: float | None = None
    while not outcome.decided:
        try:
            event = driver.events.get(timeout=_POLL_INTERVAL)
        except Empty:
            event = {}
        if event is None:
            return
        _take(event, outcome, work.reporter, work.stop)
        if any(report.failed for report in outcome.reports.values()):
            deadline = deadline or time.monotonic() + _CAUSE_TIMEOUT
            if time.monotonic() > deadline:
                return


def _take(event: Mapping[str, Any], outcome: Outcome, reporter: ProgressReporter, stop: StopRequest) -> None:
    if "show" in event:
        getattr(reporter, event["show"])(*event["arguments"])
    elif "processes" in event:
        outcome.processes = event["processes"]
        log.info("%d processes of Ray Train on %s", outcome.processes, "GPUs" if event["gpus"] else "CPUs (gloo)")
    elif "begun" in event:
        outcome.begun.add(event["rank"])
        log.info("rank %d is process %d of %s", event["rank"], event["begun"], event["host"])
    elif "report" in event:
        outcome.reports[event["rank"]] = Report.from_line(event["report"])
    elif "lost" in event:
        outcome.lost = {int(rank): why for rank, why in event["lost"].items()}
    elif "unheeded" in event:
        raise KeyboardInterrupt(stop.asked)
    elif "refused" in event:
        raise InputError(event["refused"])
    elif "fallen" in event:
        raise of_ray(event["fallen"])
    elif "broken" in event:
        log.error("Ray's driver:\n%s", event["traceback"])
        raise DefectError(f"Ray: {event['broken']}")
    elif event:
        outcome.settled = True
