"""The first failure of a run's workers, reported once, with its rank."""

from __future__ import annotations

import logging
import re
import signal
from collections.abc import Sequence

from adapt_core.errors import AdaptError, DefectError, InterruptedRunError, LostProcessError, RegroupError
from adapt_core.runtime.interrupts import StopRequest
from adapt_core.runtime.logs import FILE_ONLY

from adapt_fsdp.processes import Worker

log = logging.getLogger(__name__)

_FRAME = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+) in (?P<function>\S+)')
_SHOWN_RANKS = 6


def first_failure(workers: Sequence[Worker], collective_timeout: float) -> AdaptError | None:
    """Return the first cause among the workers of a machine as an error, or None where none failed."""
    failed = [worker for worker in workers if worker.failed]
    if not failed:
        return None
    causes = [worker for worker in failed if worker.is_cause]
    if not causes:
        return _timeout(workers, min(failed, key=_when), collective_timeout)
    # A killed process comes first: what others report about the same moment follows from it.
    first = min(causes, key=lambda worker: (worker.report is not None, _when(worker)))
    return first.report.as_error(first.rank) if first.report is not None else _death(first)


def raise_interruption(workers: Sequence[Worker], stop: StopRequest) -> None:
    """Raise what a signal or STOP_AFTER made of the workers of a machine, if it did.

    Raises:
        InterruptedRunError: all stopped with a checkpoint; a RegroupError where it was for a machine that joins.
        KeyboardInterrupt: one was ended at once, or by a signal that was passed on before it could handle it.
    """
    reports = [worker.report for worker in workers if worker.report is not None]
    for report in reports:
        if report.interrupted is not None:
            raise KeyboardInterrupt(report.interrupted)
    if stop.asked is not None and any(worker.is_cause and worker.report is None for worker in workers):
        raise KeyboardInterrupt(stop.asked)
    if len(reports) == len(workers) and all(report.stopped for report in reports):
        asked = next((report for report in reports if not report.regroups), None)
        if asked is None:
            raise RegroupError(reports[0].message)
        raise InterruptedRunError(asked.message)


def as_told(error: BaseException) -> AdaptError:
    """Return an error as the other machines of a run are told of it."""
    if isinstance(error, AdaptError):
        return error
    if isinstance(error, KeyboardInterrupt):
        by = f" by {error}" if str(error) else ""
        return InterruptedRunError(f"was ended{by}. --resume continues from the newest complete checkpoint.")
    return DefectError(f"{type(error).__name__} {error}".strip())


def _when(worker: Worker) -> float:
    return worker.report.at if worker.report is not None else worker.ended_at or 0.0


def _death(worker: Worker) -> AdaptError:
    code = worker.process.returncode
    output = worker.output.decode(errors="replace").strip()
    if output:
        log.error("rank %d printed last:\n%s", worker.rank, output[-4000:], extra=FILE_ONLY)
    if code < 0:
        name = signal.Signals(-code).name
        why = " (often because memory ran out: lower BATCH_SIZE or num_processes)" if name == "SIGKILL" else ""
        how = f"was killed by {name}{why}"
    else:
        last = f": {output.splitlines()[-1][:300]}" if output else ""
        how = f"exited with code {code} and no report{last}"
    return LostProcessError(
        f"rank {worker.rank} (process {worker.process.pid}) {how}. "
        "--resume continues from the newest complete checkpoint."
    )


def _timeout(workers: Sequence[Worker], first: Worker, limit: float) -> AdaptError:
    """No process failed by itself: some timed out waiting for others. Show where each one was."""
    assert first.report is not None
    lines = []
    for worker in workers:
        stack = worker.report.traceback if worker.report is not None else worker.lines.decode(errors="replace")
        log.error("rank %d:\n%s", worker.rank, stack, extra=FILE_ONLY)
        lines.append(f"  rank {worker.rank}: {_location(worker)}")
    if len(lines) > _SHOWN_RANKS:
        lines = [*lines[:_SHOWN_RANKS], f"  ... and {len(lines) - _SHOWN_RANKS} more in log.txt"]
    what = " ".join((first.report.message or "").split())[:200]
    return LostProcessError(
        f"processes timed out waiting for each other (collective_timeout is {limit:g} s); rank {first.rank}: {what}\n"
        + "\n".join(lines)
    )


def _location(worker: Worker) -> str:
    """A worker's innermost frame outside torch, as "file:line, function"."""
    if worker.report is not None:
        pattern = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+), in (?P<function>\S+)')
        frames = list(pattern.finditer(worker.report.traceback))[::-1]
        state = "timed out in"
    else:
        frames = list(_FRAME.finditer(worker.lines.decode(errors="replace")))
        state = "was still in"
    if not frames:
        return "did not report where it was"
    chosen = next((frame for frame in frames if "/torch/" not in frame["file"]), frames[0])
    return f"{state} {chosen['file']}:{chosen['line']}, {chosen['function']}"
