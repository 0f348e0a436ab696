"""The tracker `tensorboard`: event files in `tensorboard/` of the run folder (`tensorboard --logdir RUN_DIR`)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapt_core.plugin.specs import hookimpl

if TYPE_CHECKING:
    from adapt_core.result import RunResult

FOLDER = "tensorboard"


class TensorBoard:
    """Writes each figure as a scalar named PHASE/NAME over steps, and the config as a text.

    "before", "eval" and "after" are one curve, `eval/NAME`.
    """

    def __init__(self) -> None:
        self._config: Mapping[str, Any] = {}
        self._output_dir: Path | None = None
        self._resumed = False
        self._writer: Any = None

    @hookimpl
    def adapt_run_started(self, config: Mapping[str, Any], output_dir: Path, resumed: bool) -> None:
        """Keep what the file needs; it is opened at the first metric, whose step a resumed run continues from."""
        self._config, self._output_dir, self._resumed = config, output_dir, resumed

    @hookimpl
    def adapt_metrics(self, phase: str, step: int, metrics: Mapping[str, float]) -> None:
        """Write the figures."""
        writer = self._writer or self._open(step)
        group = "eval" if phase in ("before", "after") else phase
        for name, value in metrics.items():
            writer.add_scalar(f"{group}/{name}", value, step)
        writer.flush()

    @hookimpl
    def adapt_run_finished(self, result: RunResult) -> None:
        """Close the file."""
        if self._writer is not None:
            self._writer.close()

    def _open(self, step: int) -> Any:
        from torch.utils.tensorboard import SummaryWriter

        assert self._output_dir is not None
        folder = self._output_dir / FOLDER
        # What an interrupted run wrote from here on is written again: the purge keeps it from standing there twice.
        self._writer = SummaryWriter(str(folder), purge_step=step if self._resumed else None)
        self._writer.add_text("config", f"```json\n{json.dumps(dict(self._config), indent=2)}\n```")
        return self._writer
