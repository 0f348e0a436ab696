"""Run a module as `python -m` does, and record the time of its first training step and of its evaluations.

    python -m benchmarks.watched NOTES LIBRARY MODULE [ARGUMENT ...]

NOTES is a JSON file to be written: `first_step`, in seconds since the process began, `evaluation`, the seconds of the
last one (the first may wait for imports that the other side made at its start), `evaluation_processor`, the seconds of
the processor in it, and `training_processor`, those of the training phase, its evaluations and checkpoints included:
what other work on the machine hardly changes. LIBRARY is what trains in MODULE: transformers or mmengine. Both sides of
a comparison run under it.
"""

from __future__ import annotations

import json
import runpy
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import psutil

Outcome = tuple[dict[str, Any], float]
STEPS = {
    "transformers": ("transformers", "Trainer", "training_step"),
    "mmengine": ("mmengine.optim", "OptimWrapper", "update_params"),
}
TRAININGS = {
    "transformers": [("transformers", "Trainer", "train")],
    "mmengine": [("mmengine.runner", "Runner", "train"), ("adapt_vision_mm.openmmlab.loop", "MmLoop", "train")],
}
EVALUATIONS = {
    "transformers": [("transformers", "Trainer", "evaluate")],
    "mmengine": [("mmengine.runner", "ValLoop", "run"), ("adapt_vision_mm.openmmlab.loop", "MmLoop", "evaluate")],
}
"""Module, class and method of one training step, of the training phase and of one evaluation."""


def noted(library: str, folder: Path, module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module this way; its notes are written next to a folder that need not exist."""
    notes = str(folder.with_suffix(".notes"))
    return [sys.executable, "-m", "benchmarks.watched", notes, library, module, *arguments]


def figures(pair: tuple[Outcome, Outcome], folders: tuple[Path, Path]) -> dict[str, float]:
    """Return ours over theirs.

    Args:
        pair: what each side printed, and its seconds; ours first.
        folders: beside them lie the notes.
    """
    ours, theirs = pair
    notes = [json.loads(folder.with_suffix(".notes").read_text(encoding="utf-8")) for folder in folders]
    return {
        "samples_per_second": ours[0]["samples_per_second"] / theirs[0]["samples_per_second"],
        **{phase: notes[0][phase] / notes[1][phase] for phase in ("first_step", "evaluation", "evaluation_processor")},
        "samples_per_processor_second": notes[1]["training_processor"] / notes[0]["training_processor"],
        "whole": ours[1] / theirs[1],
        "peak_memory": ours[0]["peak_memory_bytes"] / theirs[0]["peak_memory_bytes"],
    }


def around(place: tuple[str, str, str], told: Callable[[float, float, float], None]) -> None:
    """Call `told` after every call of a method: start, end (time.time() values), seconds of the processor between."""
    module, owner, method = place
    part = getattr(import_module(module), owner)
    whole = getattr(part, method)

    def timed(*arguments: Any, **options: Any) -> Any:
        begun, processor = time.time(), time.process_time()
        returned = whole(*arguments, **options)
        told(begun, time.time(), time.process_time() - processor)
        return returned

    setattr(part, method, timed)


def main() -> None:
    """Patch the library, run the module and write the notes."""
    notes, library, module, *arguments = sys.argv[1:]
    started = psutil.Process().create_time()
    steps: list[float] = []
    trainings: list[float] = []
    evaluations: list[tuple[float, float]] = []
    around(STEPS[library], lambda _, end, __: steps.append(end) if not steps else None)
    for place in TRAININGS[library]:
        around(place, lambda _, __, processor: trainings.append(processor))
    for place in EVALUATIONS[library]:
        around(place, lambda begun, end, processor: evaluations.append((end - begun, processor)))
    sys.argv = [module, *arguments]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    finally:
        found = {"first_step": steps[0] - started if steps else None}
        found["training_processor"] = trainings[-1] if trainings else None
        found["evaluation"], found["evaluation_processor"] = evaluations[-1] if evaluations else (None, None)
        Path(notes).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
