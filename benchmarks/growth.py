"""Speed, start-up time and memory of whole runs as data set and model grow.

    python -m benchmarks.growth --data ../shared/data [--rows 5000] [--steps 60]

Text classification and text generation on 1, 4 and 16 times as many rows (real texts under numbers of their own, so
that no two are alike), with the same steps; then on the fewest rows with models of 1, 2 and 4 times the width. Each
set is run on twice, with one thread: the second run must find its rows tokenized, or the script fails. Prints a JSON
line for each run:

- samples_per_second: of training.
- first_step_seconds: from the start of the process to the first logged step.
- resident_mib: the greatest resident memory, pages of memory-mapped files among it.
- own_mib: the greatest memory that is the process's own and no page of a file, sampled.
- own_over_1x, resident_over_1x: each over the same run's on the fewest rows; beside them the differences in MiB, of
  own memory and of the file of training rows.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs
import psutil

from benchmarks.results.baselines import rows
from benchmarks.small_jobs import decoder, encoder
from benchmarks.targets import with_targets

TIMES = (1, 4, 16)
WIDTHS = (1, 2, 4)
MIB = 2**20


@attrs.frozen(kw_only=True)
class Task:
    """One task.

    Attributes:
        source: folder of the data sets' folder, with a column `text`.
        model: (folder, data, width) -> MODEL_PATH.
        keys: the config besides data, model and OUTPUT_DIR.
    """

    source: str
    model: Callable[[Path, Path, int], str]
    keys: dict[str, Any]


TASKS = {
    "text_classification": Task(source="ag_news", model=encoder, keys={"max_seq_length": 128}),
    "text_generation": Task(source="tinyshakespeare", model=decoder, keys={"max_seq_length": 256}),
}


def grown(source: Path, folder: Path, count: int) -> float:
    """Write so many training rows and 64 validation rows; return the MiB of the training file."""
    folder.mkdir()
    for split, wanted in (("train", count), ("validation", 64)):
        with (folder / f"{split}.jsonl").open("w", encoding="utf-8") as file:
            for number, row in enumerate(itertools.islice(itertools.cycle(rows(source, split)), wanted)):
                file.write(json.dumps({**row, "text": f"{number}: {row['text']}"}) + "\n")
    return (folder / "train.jsonl").stat().st_size / MIB


def measured(config: Path, folder: Path, env: dict[str, str]) -> dict[str, float]:
    """Run a config as a user would and measure its process.

    Args:
        config: the file.
        folder: its OUTPUT_DIR.
        env: of the process.
    """
    begun = time.perf_counter()
    command = [sys.executable, "-m", "adapt_core", "run", str(config), "--json"]
    first_step = own = 0.0
    with tempfile.TemporaryFile() as errors, tempfile.TemporaryFile() as printed:
        with subprocess.Popen(command, stdout=printed, stderr=errors, env=env) as process:
            watched = psutil.Process(process.pid)
            while process.poll() is None:
                time.sleep(0.1)
                if not first_step and _logs_a_step(folder / "metrics.jsonl"):
                    first_step = time.perf_counter() - begun
                with suppress(psutil.NoSuchProcess):  # it has ended between two looks
                    memory = watched.memory_info()
                    own = max(own, (memory.rss - memory.shared) / MIB)
        if process.returncode:
            errors.seek(0)
            raise SystemExit(f"{config}: {errors.read().decode()[-4000:]}")
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    return {
        "samples_per_second": round(result["samples_per_second"], 1),
        "first_step_seconds": round(first_step, 1),
        "resident_mib": round(result["peak_memory_bytes"] / MIB),
        "own_mib": round(own),
    }


def _logs_a_step(metrics: Path) -> bool:
    return metrics.is_file() and '"train"' in metrics.read_text(encoding="utf-8")


def twice(task: Task, name: str, data: Path, model: str, folder: Path, steps: int) -> list[dict[str, float]]:
    """Run twice on the same rows with a cache of their own.

    Raises:
        SystemExit: a run failed, the first found rows in the cache, or the second tokenized rows again.
    """
    keys = {
        "TASK": name,
        **task.keys,
        "MODEL_PATH": model,
        "CUSTOM_DATASET_PATH": str(data),
        "MAX_STEPS": steps,
        "BATCH_SIZE": 8,
        "LOGGING_STEPS": 1,
        "NUM_WORKERS": 0,
        "DO_EVAL": False,
        "INTERVAL": "no",
    }
    folder.mkdir()
    one_thread = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    env = {**os.environ, **one_thread, "HF_DATASETS_CACHE": str(folder / "cache")}
    runs = []
    for number in range(2):
        run, config = folder / f"run-{number}", folder / f"run-{number}.json"
        config.write_text(json.dumps({**keys, "OUTPUT_DIR": str(run)}), encoding="utf-8")
        runs.append(measured(config, run, env))
        lines = (run / "log.txt").read_text(encoding="utf-8").splitlines()
        tokenized = [line for line in lines if "split tokenized" in line]
        cached = [line for line in tokenized if line.endswith("(from the cache)")]
        if not tokenized or len(cached) != number * len(tokenized):
            raise SystemExit(f"run {number + 1} of {name}: {len(cached)} of {len(tokenized)} splits from the cache")
    return runs


def main() -> None:
    """Grow the data, then the model, and print the measurements of each run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder of the data sets")
    parser.add_argument("--task", action="append", choices=list(TASKS), help="may be repeated; default: both")
    parser.add_argument("--rows", type=int, default=5000, help="training rows at 1x")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--width", type=int, default=64, help="of the model at 1x")
    given = parser.parse_args()
    for name in given.task or TASKS:
        task = TASKS[name]
        with tempfile.TemporaryDirectory() as temporary:
            work = Path(temporary)
            sizes = {times: grown(given.data / task.source, work / f"{times}", given.rows * times) for times in TIMES}
            smallest: list[dict[str, float]] = []
            for data, model in [*((times, 1) for times in TIMES), *((1, width) for width in WIDTHS[1:])]:
                width = given.width * model
                made = task.model(work / f"model-{model}", work / "1", width)
                runs = twice(task, name, work / f"{data}", made, work / f"run-{data}-{model}", given.steps)
                smallest = smallest or runs
                for number, (run, least) in enumerate(zip(runs, smallest, strict=True), start=1):
                    line = {"task": name, "data": f"{data}x", "width": width, "run": number, **run}
                    if model == 1:
                        more = run["own_mib"] - least["own_mib"]
                        for kind in ("own", "resident"):
                            line[f"{kind}_over_1x"] = round(run[f"{kind}_mib"] / least[f"{kind}_mib"], 3)
                        line |= {"more_mib": more, "of_more_data_mib": round(sizes[data] - sizes[1], 1)}
                    print(json.dumps(with_targets("growth", line)), flush=True)


if __name__ == "__main__":
    main()
