"""What a checkpoint costs training: the time from step to step, with a save between and without.

    python -m benchmarks.checkpoint_pauses --data ../shared/data/tinyshakespeare

Every parameter of SmolLM2-135M trains (AdamW, float32, one process) on packed texts, and a checkpoint is written after
each fourth step: once in the background (BACKGROUND_CHECKPOINTS, the default) and once while training waits. A time is
that from the end of a step to the end of the next: behind a save it holds the copy of the state and the pause, and the
writer at work beside the step; the third and fourth step behind a save find it done. Prints one JSON object: for each
side the medians of the times behind a save and of the quiet ones (seconds), and their ratio. On a CPU the writer and
training share the cores; there the ratio holds what it takes of them.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.packaged_models import smollm2

ROOT = Path(__file__).parent.parent
SAVED_AFTER = 4
"""Steps between checkpoints."""


def step_times(data: Path, folder: Path, steps: int, batch_size: int, *, background: bool) -> list[float]:
    """Train in this process, and return the seconds from the end of each step to that of the next."""
    import adapt_core
    from adapt_core.hf.loop.callbacks import MetricsCallback

    ends: list[float] = []
    original = MetricsCallback.on_step_end

    def on_step_end(self: Any, *args: Any, **options: Any) -> None:
        original(self, *args, **options)
        ends.append(time.perf_counter())

    MetricsCallback.on_step_end = on_step_end  # type: ignore[method-assign]
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
    return [later - earlier for earlier, later in pairwise(ends)]


def compared(times: list[float]) -> dict[str, Any]:
    """Return the medians of a side. The first save is left out: it makes the memory that later copies go into."""
    numbered = list(enumerate(times, start=1))  # times[n] is between step n + 1 and the next
    behind = [seconds for step, seconds in numbered if step % SAVED_AFTER == 0][1:]
    quiet = [seconds for step, seconds in numbered if step % SAVED_AFTER in (2, 3) and step > SAVED_AFTER]
    first = next(seconds for step, seconds in numbered if step == SAVED_AFTER)
    a, b = statistics.median(behind), statistics.median(quiet)
    return {
        "behind_a_save": round(a, 3),
        "quiet": round(b, 3),
        "ratio": round(a / b, 4),
        "behind_the_first_save": round(first, 3),
        "times": [round(seconds, 3) for seconds in times],
    }


def main() -> None:
    """Run both sides, each in a process of its own, and print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--side", choices=("background", "waiting"), help="run one side alone")
    given = parser.parse_args()
    if given.side is not None:
        with tempfile.TemporaryDirectory() as folder:
            background = given.side == "background"
            times = step_times(given.data, Path(folder) / "run", given.steps, given.batch_size, background=background)
        print(json.dumps(compared(times)))
        return
    found: dict[str, Any] = {"cores": len(os.sched_getaffinity(0)), "threads": os.environ.get("OMP_NUM_THREADS", "all")}
    for side in ("background", "waiting"):
        sizes = ["--steps", str(given.steps), "--batch-size", str(given.batch_size)]
        command = [sys.executable, "-m", "benchmarks.checkpoint_pauses", "--data", str(given.data), "--side", side]
        done = subprocess.run([*command, *sizes], stdout=subprocess.PIPE, text=True, check=True)
        found[side] = json.loads(done.stdout.splitlines()[-1])
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
