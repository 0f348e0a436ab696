"""The table of docs/scale.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stress.scale.jobs import JOBS

MARK = "<!-- table of python -m stress.scale -->\n"


def with_table(page: str, measured: Mapping[str, Mapping[str, Any]]) -> str:
    """Return a page whose end, from the mark on, is the table of what was measured.

    Args:
        page: with the mark.
        measured: the record of each job, by name.
    """
    jobs = [job for job in JOBS if job.name in measured]
    about = [f"- `{job.name}`: {job.what}." for job in jobs]
    lines = ["| | " + " | ".join(job.name for job in jobs) + " |", "|---|" + "---:|" * len(jobs)]
    for title, cell in _ROWS.items():
        lines.append(f"| {title} | " + " | ".join(cell(measured[job.name]) for job in jobs) + " |")
    made = ["", *about, "", *lines] if jobs else ["", "No run is on record yet."]
    return page.split(MARK)[0] + MARK + "\n".join(made) + "\n"


def _ratio(figure: float | None) -> str:
    """Return a figure, or a dash for a run that was recorded before the piece of work was timed."""
    return "-" if figure is None else f"{figure:.2f}"


_ROWS = {
    "training rows": lambda run: f"{run['rows']:,}",
    "optimizer steps": lambda run: f"{run['steps']:,}",
    "before the first step, seconds": lambda run: f"{run['first_step_seconds']:.0f}",
    "the same, resumed near the start": lambda run: f"{run['resume_at_start_seconds']:.0f}",
    "the same, resumed near the end": lambda run: f"{run['resume_at_end_seconds']:.0f}",
    "the latter over the former, by pieces of work": lambda run: _ratio(run.get("resume_end_over_start")),
    "from the last step to the end, seconds": lambda run: f"{run['end_seconds']:.0f}",
    "memory in training, MiB": lambda run: f"{run['own_mib']:.0f}",
    "most memory, MiB": lambda run: f"{run['own_mib_most']:.0f}",
    "its slope, MiB in 1,000 steps": lambda run: f"{run['growth_mib_per_1000_steps']:.3f} ± {run['growth_error']:.3f}",
    "steps a second, first fifth": lambda run: f"{run['steps_per_second_at_start']:.1f}",
    "steps a second, last fifth": lambda run: f"{run['steps_per_second_at_end']:.1f}",
    "the latter over the former, in a piece of work": lambda run: _ratio(run.get("speed_end_over_start")),
    "disk after a quarter, MiB": lambda run: f"{run['disk_mib_at_quarter']:.0f}",
    "most disk, MiB": lambda run: f"{run['disk_mib_most']:.0f}",
    "report, MiB": lambda run: f"{run['report_mib']:.2f}",
    "findings": lambda run: "; ".join(run["findings"]) or "none",
}
