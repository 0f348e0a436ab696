"""Predictions of an adapted model on raw input."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from adapt_core.finished_run import FinishedRun


def predict(run_dir: str | Path, inputs: Sequence[str], *, trust: bool = False) -> list[dict[str, Any]]:
    """Predicts with a finished run's model.

    Args:
        run_dir: the run folder.
        inputs: raw texts, or paths of files that the task reads.
        trust: load a pickled model (SAVE_METHOD full_torch_model) or one with code of its own.

    Returns:
        one mapping for each input, in their order; each task documents its keys.

    Raises:
        InputError: the run is not finished, an input cannot be read, or the model is not trusted.
    """
    run = FinishedRun.open(run_dir, trust=trust)
    raw = run.task.read_inputs(inputs)
    return run.task.predict(run.model(), run.folder.model, raw)
