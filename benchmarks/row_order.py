"""What grouping rows by length (GROUP_BY_LENGTH) saves in time, and what it changes in accuracy.

    python -m benchmarks.row_order --data ../shared/data --seeds 5

Trains MiniLM on classes of news, entities and parts of speech, with rows grouped and at random for each seed, side by
side on one core each. Prints mean and standard deviation of the metric for both, and grouped over random as median,
least and greatest: wall time of the process, and samples a second of the training phase.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.packaged_models import minilm
from benchmarks.pairs import adapt_command, side_by_side, spread

ROOT = Path(__file__).parent.parent
COMMON = {
    "TASK": "text_classification",
    "EPOCHS": 2,
    "NUM_WORKERS": 0,
    "SAVE_METHOD": "safetensors",
    "INTERVAL": "no",
    "MAX_EVAL_SAMPLES": 256,
}
JOBS: dict[str, tuple[str, dict[str, Any]]] = {
    "ag_news": ("accuracy", {"LR": 1e-4, "MAX_TRAIN_SAMPLES": 640}),
    "wnut17": ("f1", {"subtask": "ner", "LR": 5e-4, "MAX_TRAIN_SAMPLES": 1200}),
    "conll2000": ("accuracy", {"subtask": "pos", "LR": 5e-4, "MAX_TRAIN_SAMPLES": 600}),
}
_ORDERS = ("grouped", "random")


def measured(job: str, data: Path, seeds: int, temporary: Path) -> dict[str, Any]:
    """Return the figures of one job."""
    metric, keys = JOBS[job]
    env = {**os.environ, "HF_DATASETS_CACHE": str(temporary / "cache"), "TOKENIZERS_PARALLELISM": "false"}
    scores: dict[str, list[float]] = {order: [] for order in _ORDERS}
    walls, speeds = [], []
    for seed in range(seeds):
        commands = []
        for order in _ORDERS:
            folder = temporary / f"{job}-{order}-{seed}"
            config = {
                **COMMON,
                **keys,
                "MODEL_PATH": minilm(),
                "CUSTOM_DATASET_PATH": str(data / job),
                "OUTPUT_DIR": str(folder),
                "SEED": seed,
                "GROUP_BY_LENGTH": order == "grouped",
            }
            commands.append(adapt_command(config, folder))
        (grouped, seconds), (random, random_seconds) = side_by_side(commands[0], commands[1], env, seed)
        for order, result in zip(_ORDERS, (grouped, random), strict=True):
            scores[order].append(result["metrics"]["after"][metric])
        if seed:  # The first pair fills the cache of tokenized rows.
            walls.append(seconds / random_seconds)
            speeds.append(grouped["samples_per_second"] / random["samples_per_second"])
    means = {
        order: {"mean": round(statistics.mean(values), 4), "deviation": round(statistics.stdev(values), 4)}
        for order, values in scores.items()
    }
    return {metric: means, "wall": spread(walls), "samples_per_second": spread(speeds)}


def main() -> None:
    """Measure and print one JSON object for each job."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--seeds", type=int, default=5, help="at least 3")
    given = parser.parse_args()
    for job in JOBS:
        with tempfile.TemporaryDirectory() as temporary:
            found = measured(job, given.data.resolve(), given.seeds, Path(temporary))
        print(json.dumps({"data": job, "seeds": given.seeds, **found}), flush=True)


if __name__ == "__main__":
    main()
