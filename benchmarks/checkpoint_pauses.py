"""What a checkpoint costs training: the time from step to step, with a save between and without.

    python -m benchmarks.checkpoint_pauses --data ../shared/data/tinyshakespeare

Every parameter of SmolLM2-135M trains (AdamW, float32, one process) on packed texts, and a checkpoint is written in
the background after each fourth step. Saves and quiet steps so take turns in one process, and what else the machine
does hits both. A time is that from the end of a step to the end of the next: behind a save it holds the pause, in
which training waits for the copy of the state, and the writer at work beside the step; the third and fourth step
behind a save find it done. The first save is told apart: it makes the memory that later copies go into.

Prints one JSON object of medians, in seconds: the wall time of steps behind a save and of quiet ones, and their ratio;
of the pause, wall and processor time; of the writer, wall and processor time; of a step, the processor time of all
threads. `pause / step` and `writer / step` by processor time hardly depend on other work of the machine. Training
computes in as many threads as there are cores unless OMP_NUM_THREADS says otherwise. Where it leaves the writer no
core (two threads on two), the ratio holds what the writer takes of training; with one thread on two cores it holds the
pause, and what two cores take of each other. `--waiting` writes while training waits (BACKGROUND_CHECKPOINTS: false),
for comparison.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from itertools import pairwise
from pathlib import Path
from typing import Any

import attrs

from benchmarks.packaged_models import smollm2
from benchmarks.targets import with_targets

SAVED_AFTER = 4
"""Steps between checkpoints."""


@attrs.define
class Clock:
    """What was measured: of each step's end (wall, processor), of each pause and of each write (wall, processor)."""

    ends: list[tuple[float, float]] = attrs.field(factory=list)
    pauses: list[tuple[float, float]] = attrs.field(factory=list)
    writes: list[tuple[float, float]] = attrs.field(factory=list)


@contextmanager
def timed(owner: type, name: str, kept: list[tuple[float, float]], *, after: bool = False) -> Iterator[None]:
    """Measure each call of a method while the block runs: its wall time and its thread's processor time.

    Args:
        owner: the class.
        name: of the method.
        kept: where the times go.
        after: keep the wall clock and the processor time of the process after the call instead.
    """
    original: Callable[..., Any] = getattr(owner, name)

    @wraps(original)
    def call(*args: Any, **options: Any) -> Any:
        began = time.perf_counter(), time.thread_time()
        try:
            return original(*args, **options)
        finally:
            if after:
                kept.append((time.perf_counter(), time.process_time()))
            else:
                kept.append((time.perf_counter() - began[0], time.thread_time() - began[1]))

    setattr(owner, name, call)
    try:
        yield
    finally:
        setattr(owner, name, original)


def measured(data: Path, folder: Path, steps: int, batch_size: int, *, background: bool) -> Clock:
    """Train in this process, and return what was measured."""
    import transformers

    import adapt_core
    from adapt_core.hf.loop.callbacks import MetricsCallback
    from adapt_core.run_folder.background import BackgroundWriter

    clock = Clock()
    with (
        timed(MetricsCallback, "on_step_end", clock.ends, after=True),
        timed(transformers.Trainer, "_maybe_log_save_evaluate", clock.pauses),
        timed(BackgroundWriter, "_write", clock.writes),
    ):
        adapt_core.run(
            {
                "TASK": "text_generation",
                "MODEL_PATH": str(smollm2()),
                "CUSTOM_DATASET_PATH": str(data),
                "OUTPUT_DIR": str(folder),
                "method": "full",
                "DTYPE": "float32",
                "max_seq_length": 256,
                "BATCH_SIZE": batch_size,
                "MAX_STEPS": steps,
                "MAX_TRAIN_SAMPLES": 200,
                "DO_EVAL": False,
                "VERDICT": "none",
                "NUM_WORKERS": 0,
                "INTERVAL": "steps",
                "INTERVAL_STEPS": SAVED_AFTER,
                "NO_OF_CHECKPOINTS": 1,
                "STEP_IN_BACKWARD": False,
                "BACKGROUND_CHECKPOINTS": background,
            }
        )
    return clock


def compared(clock: Clock) -> dict[str, Any]:
    """Return the medians of what was measured."""
    walls = [later[0] - earlier[0] for earlier, later in pairwise(clock.ends)]
    processors = [later[1] - earlier[1] for earlier, later in pairwise(clock.ends)]
    numbered = range(1, len(walls) + 1)  # walls[n - 1] is between the ends of step n and of step n + 1
    behind = [number - 1 for number in numbered if number % SAVED_AFTER == 0 and number > SAVED_AFTER]
    quiet = [number - 1 for number in numbered if number % SAVED_AFTER in (2, 3) and number > SAVED_AFTER]
    # Called behind each step, whether it saves or not.
    saves = clock.pauses[SAVED_AFTER - 1 :: SAVED_AFTER]

    def median(values: list[float]) -> float:
        return statistics.median(values) if values else float("nan")

    step, with_a_save = median([walls[index] for index in quiet]), median([walls[index] for index in behind])
    processor = median([processors[index] for index in quiet])
    pause = [median([save[kind] for save in saves[1:]]) for kind in (0, 1)]
    writer = [median([write[kind] for write in clock.writes[1:]]) for kind in (0, 1)]
    found = {
        "quiet step": {"wall": step, "processor": processor},
        "step behind a save": {"wall": with_a_save, "processor": median([processors[index] for index in behind])},
        "behind / quiet": with_a_save / step,
        "pause": {"wall": pause[0], "processor": pause[1]},
        "writer": {"wall": writer[0], "processor": writer[1]},
        "pause / step, processor": pause[1] / processor,
        "writer / step, processor": writer[1] / processor,
        "first save": {"pause": saves[0][0], "behind": walls[SAVED_AFTER - 1]},
    }
    return {**_rounded(found), "walls": [round(wall, 2) for wall in walls]}


def _rounded(values: dict[str, Any]) -> dict[str, Any]:
    return {name: _rounded(value) if isinstance(value, dict) else round(value, 4) for name, value in values.items()}


def main() -> None:
    """Train, and print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--waiting", action="store_true", help="training waits until a checkpoint is written")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clock = measured(given.data, Path(folder) / "run", given.steps, given.batch_size, background=not given.waiting)
    machine = {"cores": len(os.sched_getaffinity(0)), "threads": os.environ.get("OMP_NUM_THREADS", "all")}
    print(json.dumps(with_targets("checkpoint_pauses", {**machine, **compared(clock)}), indent=1))


if __name__ == "__main__":
    main()
