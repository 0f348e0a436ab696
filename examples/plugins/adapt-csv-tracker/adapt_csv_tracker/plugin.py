"""The hooks of the tracker. A hook takes those of its arguments that it names."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from adapt_core.plugin import hookimpl

_file: Path | None = None


@hookimpl
def adapt_run_started(output_dir: Path, resumed: bool) -> None:
    """Start the file of a new run; a resumed run continues its own."""
    global _file
    _file = output_dir / "figures.csv"
    if not resumed or not _file.exists():
        _file.write_text("phase,step,epoch,name,value\n", encoding="utf-8")


@hookimpl
def adapt_metrics(phase: str, step: int, epoch: float, metrics: Mapping[str, float]) -> None:
    """Write a row for each metric."""
    assert _file is not None
    with _file.open("a", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([phase, step, epoch, name, value] for name, value in metrics.items())
