"""The names that runs write, and how a run folder is told from others."""

from __future__ import annotations

from pathlib import Path

MARKER = ".adapt-run.json"
LOG = "log.txt"
CHECKPOINTS = "checkpoints"
PREDICTIONS = "predictions"
EXPORTS = "exports"
ROWS = "predictions.parquet"
NAMES = (
    "config.yaml",
    "result.json",
    "metrics.jsonl",
    "evaluation.json",
    ROWS,
    CHECKPOINTS,
    "adapter",
    "model",
    EXPORTS,
    "report.html",
    "README.md",
    "tensorboard",
    "trackers",
    "samples",
    PREDICTIONS,
    LOG,
)
"""The names that runs and `adapt predict` write into a run folder."""


def is_run_folder(path: Path) -> bool:
    """Return whether a folder belongs to a run."""
    return (path / MARKER).is_file()


def holds_runs(path: Path) -> bool:
    """Return whether a folder is a run folder, or has run folders and nothing else (`runs/`)."""
    if is_run_folder(path):
        return True
    inside = sorted(path.iterdir())
    return bool(inside) and all(child.is_dir() and holds_runs(child) for child in inside)
