"""What a search has found: `tuning.json`, and `tuning.html` with its runs side by side."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs

from adapt_core.plugin.registry import Registry
from adapt_core.report.comparison import compare
from adapt_core.run_folder.files import write_text
from adapt_core.runtime.format import score, span

from adapt_tune.final import FINAL
from adapt_tune.study import TrialRun

RECORD, REPORT = "tuning.json", "tuning.html"
_COMPARED = 24
"""Runs side by side in the report, the best ones."""

log = logging.getLogger(__name__)


def to_data(runs: Sequence[TrialRun], best: TrialRun, budget: float, seconds: float) -> dict[str, Any]:
    """Return a search as JSON-ready data, as `tuning.json` has it.

    Args:
        runs: all of them.
        best: the one to use.
        budget: seconds that were given.
        seconds: that were taken.
    """
    return {
        "metric": best.metric,
        "best": attrs.asdict(best),
        "budget": budget,
        "seconds": round(seconds, 2),
        "runs": [attrs.asdict(run) for run in runs],
    }


def rows_of(runs: Sequence[TrialRun], best: TrialRun) -> list[list[str]]:
    """Return the table of a search: its head, and a row for each run, the best first."""
    ordered = sorted(
        {run.folder: run for run in runs}.values(), key=lambda run: -(run.score if run.score is not None else -1e300)
    )
    found = [["run", best.metric, "steps", "time", "settings"]]
    for run in ordered:
        told = ", ".join(f"{key}: {value}" for key, value in run.settings.items()) or "the config as it stands"
        value = score(run.value) if run.value is not None else f"failed: {run.failed}"
        found.append([run.folder, value, f"{run.steps:,} of {run.planned_steps:,}", span(run.seconds), told])
    return found


def write_report(
    folder: Path, data: dict[str, Any], runs: Sequence[TrialRun], best: TrialRun, registry: Registry
) -> None:
    """Write both files of a search into its folder."""
    write_text(folder / RECORD, json.dumps(data, indent=2) + "\n")
    _, *rows = rows_of(runs, best)
    names = [row[0] for row in rows if (folder / row[0] / "result.json").is_file()]
    names = sorted(names[:_COMPARED], key=lambda name: (name != best.folder, name != FINAL, name))
    try:
        page = compare([folder / name for name in names], registry.tasks.spec_of, registry.metrics.spec_of).page()
    except Exception as error:  # noqa: BLE001 - a search that trained well has not failed
        log.warning("%s could not be written: %s: %s", REPORT, type(error).__name__, error)
        return
    write_text(folder / REPORT, page)
