"""What went wrong among the workers of a run, told once, with the rank."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from adapt_core.errors import AdaptError, DefectError, InterruptedRunError, LostProcessError
from adapt_core.execution.worker_protocol import Report
from adapt_core.runtime.interrupts import StopRequest
from adapt_core.runtime.logs import FILE_ONLY

log = logging.getLogger(__name__)

_DIED = re.compile(r"Worker exit type: (?P<type>\w+) Worker exit detail: (?P<detail>[^\n]*)")
_PROCESS = re.compile(r"\bpid[:=]\s*(?P<pid>\d+)")
_DETAIL = re.compile(r"exit detail: (?P<detail>[^\n]*)")
_LAST_CHARACTERS = 4000


def fallen(error: BaseException) -> str | None:
    """Return what Ray says of the end of a process or machine of its own, in a line; None for any other error.

    Args:
        error: Ray's, out of the driver, or of its training as a whole.
    """
    from ray import exceptions

    kinds = (
        exceptions.LocalRayletDiedError,
        exceptions.NodeDiedError,
        exceptions.ObjectLostError,
        exceptions.RayActorError,
        exceptions.RaySystemError,
        exceptions.RpcError,
        exceptions.WorkerCrashedError,
    )
    cause = getattr(error, "controller_failure", None) or error
    if not isinstance(cause, kinds):
        return None
    detail = _DETAIL.search(str(cause))
    what = detail["detail"] if detail else str(cause).strip().partition("\n")[0]
    return f"{type(cause).__name__}: {what.strip()[:300]}"


def reasons(error: BaseException, scratch: Path) -> dict[int, dict[str, Any]]:
    """Return, by rank, why workers of Ray Train ended: {"died", "pid", "output"} or {"raised"}; of rank -1, {"fell"}.

    Args:
        error: Ray's.
        scratch: the folder of a Ray on this machine, whose logs have what its workers printed.
    """
    found: dict[int, dict[str, Any]] = {}
    for rank, failure in getattr(error, "worker_failures", {}).items():
        text = str(failure)
        died = _DIED.search(text)
        if died is None and "ActorDied" not in text and "health check" not in text:
            found[rank] = {"raised": f"{type(failure).__name__}: {text}"}
            continue
        pid = _PROCESS.search(text)
        found[rank] = {
            "died": f"{died['type']}: {died['detail'].split('. ')[0]}" if died else " ".join(text.split())[:300],
            "pid": int(pid["pid"]) if pid else None,
            "output": _last_output(scratch, int(pid["pid"])) if pid else "",
        }
    if found:
        return found
    fell = fallen(error)
    return {-1: {"fell": fell} if fell else {"raised": f"{type(error).__name__}: {error}"}}


def _last_output(scratch: Path, pid: int) -> str:
    """Return the end of what a worker of a Ray on this machine printed; nothing where it is on another."""
    lines = []
    for path in sorted(scratch.glob(f"session_*/logs/worker-*-{pid}.err")):
        text = path.read_text(encoding="utf-8", errors="replace")[-_LAST_CHARACTERS:]
        lines += [line for line in text.splitlines() if not line.startswith((":job_id:", ":actor_name:"))]
    return "\n".join(lines).strip()


def raise_interruption(reports: Mapping[int, Report], processes: int, stop: StopRequest) -> None:
    """Raise what a signal or STOP_AFTER made of the workers, if it did.

    Raises:
        InterruptedRunError: all stopped with a checkpoint.
        KeyboardInterrupt: one was ended at once.
    """
    for report in reports.values():
        if report.interrupted is not None:
            raise KeyboardInterrupt(stop.asked or report.interrupted)
    if len(reports) == processes and all(report.stopped for report in reports.values()):
        raise InterruptedRunError(reports[0].message)


def first_failure(
    reports: Mapping[int, Report], lost: Mapping[int, Mapping[str, Any]], collective_timeout: float
) -> AdaptError | None:
    """Return the first cause among the workers as an error, or None where none failed.

    Args:
        reports: of workers that could report, by rank.
        lost: see `reasons`, of those that could not.
        collective_timeout: seconds.
    """
    # A dead process comes first: what others report follows from it.
    dead = {rank: why for rank, why in lost.items() if "died" in why and rank not in reports}
    for rank, why in dead.items():
        return _death(rank, why)
    failed = {rank: report for rank, report in reports.items() if report.failed}
    causes = {rank: report for rank, report in failed.items() if report.is_cause}
    for rank, report in causes.items():
        return report.as_error(rank)
    for rank, why in lost.items():
        if "fell" in why:
            return of_ray(why["fell"])
        if "raised" in why:
            return DefectError(f"rank {rank}: Ray Train ended the run: {why['raised']}")
    for rank, report in failed.items():
        log.error("rank %d:\n%s", rank, report.traceback, extra=FILE_ONLY)
        what = " ".join((report.message or "").split())[:200]
        return LostProcessError(
            f"processes timed out waiting for each other (collective_timeout is {collective_timeout:g} s); "
            f"rank {rank}: {what}"
        )
    return None


def of_ray(why: str) -> LostProcessError:
    """Return what `fallen` said as the command tells it."""
    return LostProcessError(
        f"a process of Ray's own died, or a machine was lost: Ray says {why} "
        "--resume continues from the newest complete checkpoint."
    )


def _death(rank: int, why: Mapping[str, Any]) -> AdaptError:
    output = str(why["output"])
    if output:
        log.error("rank %d printed last:\n%s", rank, output, extra=FILE_ONLY)
    last = f"; it printed last: {output.splitlines()[-1][:300]}" if output else ""
    return LostProcessError(
        f"rank {rank} (process {why['pid']}) died: Ray says {why['died']}{last}. "
        "--resume continues from the newest complete checkpoint."
    )
