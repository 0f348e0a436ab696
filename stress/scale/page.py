"""The record of the runs, and the table of docs/scale.md."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stress.scale.jobs import JOBS

ROOT = Path(__file__).parents[2]
RECORD = ROOT / "stress" / "results" / "scale.json"
PAGE = ROOT / "docs" / "scale.md"
MARK = "<!-- table of python -m stress.scale -->\n"


def store(file: Path, name: str, record: Mapping[str, Any]) -> None:
    """Write figures of a job beside its others and those of other jobs."""
    kept = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    kept[name] = {**kept.get(name, {}), **record}
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def write_page() -> None:
    """Write the table of docs/scale.md from the record."""
    measured = json.loads(RECORD.read_text(encoding="utf-8"))
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8"), measured), encoding="utf-8")


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


def _mib(figure: float | None) -> str:
    """Return a figure, or a dash for a run whose allocations were not counted."""
    return "-" if figure is None else f"{figure:.0f}"


def _slope(run: Mapping[str, Any]) -> str:
    """Return the slope of what is allocated with its standard error, likewise."""
    if "allocated_mib" not in run:
        return "-"
    return f"{run['allocated_growth_mib_per_1000_steps']:.3f} ± {run['allocated_growth_error']:.3f}"


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
    "of it allocated between two steps, MiB": lambda run: _mib(run.get("allocated_mib")),
    "the slope of that": _slope,
    "steps a second, first fifth": lambda run: f"{run['steps_per_second_at_start']:.1f}",
    "steps a second, last fifth": lambda run: f"{run['steps_per_second_at_end']:.1f}",
    "the latter over the former, in a piece of work": lambda run: _ratio(run.get("speed_end_over_start")),
    "disk after a quarter, MiB": lambda run: f"{run['disk_mib_at_quarter']:.0f}",
    "most disk, MiB": lambda run: f"{run['disk_mib_most']:.0f}",
    "report, MiB": lambda run: f"{run['report_mib']:.2f}",
    "findings": lambda run: "; ".join(run["findings"]) or "none",
}
