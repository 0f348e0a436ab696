"""What the harness registers: the task `line`, through an entry point that it writes next to its work."""

from __future__ import annotations

from pathlib import Path

import attrs

from adapt_core.plugin import LoopSpec, TaskSpec, hookimpl


@attrs.frozen
class LineParams:
    """Parameters of the task `line`: none."""


@hookimpl
def adapt_tasks() -> list[TaskSpec]:
    """Return the spec of `line`."""
    return [
        TaskSpec(
            name="line",
            summary="a line through points",
            implementation="stress.folders.task:Line",
            params=LineParams,
            loop=LoopSpec(name="line", optimizers={"adamw_torch": None, "sgd": None}, schedules=("constant", "linear")),
            metrics={"error": "lower"},
        )
    ]


def install(folder: Path) -> None:
    """Write the metadata of a distribution into a folder on the import path, so that adapt discovers the task."""
    metadata = folder / "stress_folders-0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: stress-folders\nVersion: 0\n", encoding="utf-8")
    (metadata / "entry_points.txt").write_text("[adapt]\nline = stress.folders.plugin\n", encoding="utf-8")
