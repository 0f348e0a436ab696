"""What the looks at a run come to."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy

from stress.scale.watch import Look

_MIB = 2**20
_REPORT = 5.0
_GROWTH = 0.03
_SLOWER = 1.15
_RESUME = 1.25


def slope(looks: Sequence[Look]) -> tuple[float, float]:
    """Return the least-squares slope of memory in MiB over 1,000 steps, and its standard error.

    Samples follow one another, so that their residuals are alike: the error is that of ten means, one of each tenth of
    the steps.
    """
    parts = [
        part for part in numpy.array_split(numpy.array([(look.step, look.own_mib) for look in looks]), 10) if len(part)
    ]
    means = numpy.array([part.mean(0) for part in parts])
    if len(means) < 3:
        return float("nan"), float("nan")
    steps = means[:, 0] - means[:, 0].mean()
    spread = float((steps**2).sum())
    if spread == 0:
        return float("nan"), float("nan")
    found = float((steps * means[:, 1]).sum()) / spread
    residuals = means[:, 1] - means[:, 1].mean() - found * steps
    error = float(numpy.sqrt((residuals**2).sum() / (len(means) - 2) / spread))
    return found * 1000, error * 1000


def trained(looks: Sequence[Look]) -> list[Look]:
    """Return the looks of the training: from the first step to the last."""
    steps = [look for look in looks if look.step]
    last = steps[-1].step if steps else 0
    end = next((number for number, look in enumerate(steps) if look.step == last), 0)
    return steps[: end + 1]


def steps_a_second(looks: Sequence[Look]) -> float:
    """Return optimizer steps, evaluations and checkpoints among them, for each second of the process."""
    seconds = looks[-1].seconds - looks[0].seconds if looks else 0.0
    return (looks[-1].step - looks[0].step) / seconds if seconds else float("nan")


def pieces(looks: Sequence[Look]) -> float:
    """Return the seconds of the fixed piece of work while the looks were taken: how slow the machine was."""
    return float(numpy.median([look.piece_seconds for look in looks])) if looks else float("nan")


def first_step(looks: Sequence[Look]) -> float:
    """Return the seconds of the process before its first logged step; NaN where it logged none."""
    return next((look.seconds for look in looks if look.step), float("nan"))


def before_training(looks: Sequence[Look]) -> list[Look]:
    """Return the looks up to the first logged step."""
    logged = next((number for number, look in enumerate(looks) if look.step), len(looks))
    return list(looks[: logged + 1])


def quickest(processes: Sequence[Sequence[Look]]) -> tuple[float, float]:
    """Return the least seconds before a first logged step, and the least number of pieces of work that fit into them.

    NaN where none logged one. What else uses the machine's caches makes a process slower, never faster.
    """
    found = [(first_step(looks), pieces(before_training(looks))) for looks in processes]
    logged = [(seconds, piece) for seconds, piece in found if not math.isnan(seconds)]
    seconds = min((seconds for seconds, _ in logged), default=float("nan"))
    return seconds, min((seconds / piece for seconds, piece in logged), default=float("nan"))


def after_training(looks: Sequence[Look]) -> float:
    """Return the seconds of the process from its last step to its end; NaN where it logged none."""
    steps = trained(looks)
    return looks[-1].seconds - steps[-1].seconds if steps else float("nan")


def figures(looks: Sequence[Sequence[Look]], folder: Path) -> dict[str, Any]:
    """Return the figures of a run in several processes, the middle one of which trains the most.

    Args:
        looks: at each process, an odd number of them.
        folder: the finished run folder.
    """
    middle = len(looks) // 2
    steps = trained(looks[middle])
    settled = steps[len(steps) // 4 :]  # Allocators and caches fill at first.
    fifth = max(len(settled) // 5, 2)
    growth, error = slope(settled)
    span = settled[-1].step - settled[0].step
    memory = float(numpy.mean([look.own_mib for look in settled]))
    at_start, at_end = settled[:fifth], settled[-fifth:]
    resumed_early, resumed_late = quickest(looks[1 : middle + 1]), quickest(looks[middle + 1 :])
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    return {
        "steps": result["steps"],
        "first_step_seconds": round(first_step(looks[0]), 1),
        "resume_at_start_seconds": round(resumed_early[0], 1),
        "resume_at_end_seconds": round(resumed_late[0], 1),
        "resume_end_over_start": round(resumed_late[1] / resumed_early[1], 3),
        "end_seconds": round(after_training(looks[-1]), 1),
        "own_mib": round(memory, 1),
        "own_mib_most": round(max(look.own_mib for process in looks for look in process), 1),
        "growth_mib_per_1000_steps": round(growth, 4),
        "growth_error": round(error, 4),
        "grown_share": round(growth * span / 1000 / memory, 5),
        "steps_per_second_at_start": round(steps_a_second(at_start), 2),
        "steps_per_second_at_end": round(steps_a_second(at_end), 2),
        "speed_end_over_start": round(
            steps_a_second(at_end) * pieces(at_end) / (steps_a_second(at_start) * pieces(at_start)), 3
        ),
        "disk_mib_at_quarter": round(max(look.disk_mib for look in steps[: len(steps) // 4 + 1]), 1),
        "disk_mib_most": round(max(look.disk_mib for process in looks for look in process), 1),
        "checkpoints": len([*(folder / "checkpoints").glob("checkpoint-*")]),
        "report_mib": round((folder / "report.html").stat().st_size / _MIB, 3),
        "metrics_mib": round((folder / "metrics.jsonl").stat().st_size / _MIB, 3),
        "evaluation_mib": round((folder / "evaluation.json").stat().st_size / _MIB, 3),
        "versions": result["versions"],
    }


def findings(found: dict[str, Any]) -> list[str]:
    """Return what is not as it should be: flat memory, even speed, bounded disk, quick resumes, a small report."""
    faults = []
    beyond = found["growth_mib_per_1000_steps"] > 3 * found["growth_error"]
    if beyond and found["grown_share"] > _GROWTH:
        faults.append(f"memory grows by {found['growth_mib_per_1000_steps']} MiB in 1,000 steps")
    if found["speed_end_over_start"] < 1 / _SLOWER:
        faults.append("training is slower at the end than at the start")
    if math.isnan(found["resume_at_end_seconds"]):
        faults.append("the run ended before it was stopped near its end")
    if found["resume_end_over_start"] > _RESUME:
        faults.append("a resume near the end takes longer than one near the start")
    if found["checkpoints"] > 2:
        faults.append(f"{found['checkpoints']} checkpoints where 2 are kept")
    if found["report_mib"] > _REPORT:
        faults.append(f"the report has {found['report_mib']} MiB")
    return faults
