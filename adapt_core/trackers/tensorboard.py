"""The tracker `tensorboard`: event files in `tensorboard/` of the run folder (`tensorboard --logdir RUN_DIR`)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from adapt_core.contracts.tracker import TrackedRun


class TensorBoard:
    """Writes each figure as a scalar over steps, and the config as a text."""

    def __init__(self) -> None:
        self._writer: Any = None

    def start(self, run: TrackedRun) -> None:
        """Open a file."""
        from torch.utils.tensorboard import SummaryWriter

        # What an interrupted run wrote from here on is written again: the purge keeps it from standing there twice.
        self._writer = SummaryWriter(str(run.folder), purge_step=run.step if run.resumed else None)
        self._writer.add_text("config", f"```json\n{json.dumps(dict(run.config), indent=2)}\n```")

    def log(self, figures: Mapping[str, float], step: int) -> None:
        """Write the figures."""
        for name, value in figures.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def finish(self) -> None:
        """Close the file."""
        if self._writer is not None:
            self._writer.close()
