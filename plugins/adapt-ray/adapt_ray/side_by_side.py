"""Several runs of one process each, side by side: Ray's driver started and followed."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

from adapt_core.config.plan import Plan
from adapt_core.config.plan_json import plan_to_json
from adapt_core.errors import AdaptError, DefectError, InputError, InterruptedRunError, LostProcessError
from adapt_core.execution.worker_protocol import Report
from adapt_core.result import RunResult
from adapt_core.runtime.progress import VERBOSITY, verbosity

from adapt_ray.cluster import reserved
from adapt_ray.launch import driver_of
from adapt_ray.params import RayParams


def side_by_side(
    plans: Sequence[Plan], params: RayParams, at_once: int
) -> Iterator[tuple[int, RunResult | AdaptError]]:
    """Yield the index of each plan with its result, or with what ended it, as the runs end.

    See `adapt_core.capabilities.launcher.SupportsSeveralRuns`.
    """
    job = _job(plans, params, at_once)
    left = set(range(len(plans)))
    with driver_of(job) as driver:
        while left:
            event = driver.events.get()
            if event is None or "ended" in event:
                raise DefectError(f"Ray's driver ended before all runs did. It printed last:\n{driver.printed()}")
            if "refused" in event:
                raise InputError(event["refused"])
            if "broken" in event:
                raise DefectError(f"Ray: {event['broken']}\n{event['traceback']}")
            left.discard(event["index"])
            yield event["index"], _outcome(event)


def _outcome(event: dict[str, Any]) -> RunResult | AdaptError:
    if "lost" in event:
        return LostProcessError(f"the process of the run died: {event['lost']}")
    report = Report.from_line(event["report"])
    if report.result is not None:
        return RunResult.from_json(report.result)
    if report.stopped or report.interrupted is not None:
        return InterruptedRunError(report.message or f"{report.interrupted} ended the process of the run.")
    told = report.message or "the run ended without a word"
    kind = InputError if report.by_input else DefectError
    return kind(told if report.by_input else f"{told}\n{report.traceback}")


def _job(plans: Sequence[Plan], params: RayParams, at_once: int) -> dict[str, Any]:
    return {
        "address": params.ray_address,
        "use_cpu": params.use_cpu,
        "processes": at_once,
        "resources": reserved(params, at_once),
        "scratch": tempfile.mkdtemp(prefix="adapt-ray-"),
        "plans": [plan_to_json(plan) for plan in plans],
        "folder": os.getcwd(),
        "environment": {VERBOSITY: verbosity()},
    }
