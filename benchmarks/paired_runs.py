"""Whether the verdict of `adapt compare` is that of twenty repeated runs, all of them runs of adapt.

    python -m benchmarks.paired_runs [--data ../shared/data/ag_news] [--repeats 20] [--seed 0]

Seven settings of a small BERT (a layer, 64 wide, random weights; other numbers of training rows, or only its head)
are each run once and then `--repeats` times: 7 x 21 runs. A repeated run trains on the same rows with another seed, and
is validated on 400 other rows. Each two settings are a pair, the first twenty of the 21 in an order of the seed. The
verdict of a pair is that of the first runs (`predictions.parquet`, accuracy: they differ where p is below 0.05). The
repeated runs say that the two differ where the same one is ahead in nineteen of twenty of them (95 %).
Prints a JSON object for each pair, and how many verdicts agree.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy

from adapt_core.testing import small_models

VALIDATION = 400
PAIRS = 20
SETTINGS: dict[str, tuple[int, dict[str, Any]]] = {
    "40 rows": (40, {"EPOCHS": 6}),
    "80 rows": (80, {"EPOCHS": 6}),
    "160 rows": (160, {"EPOCHS": 6}),
    "320 rows": (320, {"EPOCHS": 5}),
    "640 rows": (640, {"EPOCHS": 4}),
    "1200 rows": (1200, {"EPOCHS": 3}),
    "320 rows, head": (320, {"EPOCHS": 5, "method": "last_layer"}),
}
"""Name -> training rows, and keys of its config."""

Row = dict[str, str]


def read(folder: Path) -> list[Row]:
    """Return the rows of a data set in csv files, training and validation together."""
    rows: list[Row] = []
    for name in ("train.csv", "validation.csv"):
        with (folder / name).open(encoding="utf-8", newline="") as file:
            rows += [{"text": row["text"], "label": row["label"]} for row in csv.DictReader(file)]
    return rows


def finished(name: str, data: dict[str, list[Row]], model: Path, seed: int, folder: Path) -> tuple[float, Any]:
    """Return the accuracy of a run, and what it kept of its validation rows.

    Args:
        name: of SETTINGS.
        data: the rows of training and validation.
        model: a folder.
        seed: of the run.
        folder: that it writes into, deleted afterwards.
    """
    import adapt_core
    from adapt_core.run_folder.paths import RunFolder
    from adapt_core.uncertainty.kept_rows import read_rows

    count, keys = SETTINGS[name]
    result = adapt_core.run(
        {
            "TASK": "text_classification",
            "MODEL_PATH": str(model),
            "OUTPUT_DIR": str(folder / "run"),
            "OVERWRITE_OUTPUT_DIR": True,
            "LR": 0.001,
            "BATCH_SIZE": 16,
            "INTERVAL": "no",
            "NUM_WORKERS": 0,
            "VERDICT": "none",
            "CALIBRATE": False,
            "SEED": seed,
            **keys,
        },
        data={"train": data["train"][:count], "validation": data["validation"]},
    )
    kept = read_rows(RunFolder(folder / "run"))
    shutil.rmtree(folder / "run")
    return float(result.metrics["after"]["accuracy"]), kept


def measured(rows: list[Row], repeats: int, seed: int, folder: Path) -> dict[str, Any]:
    """Return of each setting what its first run kept, and the accuracies of the repeated ones."""
    chance = numpy.random.default_rng(seed)
    shuffled = chance.permutation(len(rows)).tolist()
    most = max(count for count, _ in SETTINGS.values())
    training, others = ([rows[number] for number in part] for part in (shuffled[:most], shuffled[most:]))
    texts = [row["text"] for row in training]
    sizes = {"hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
    model = small_models.bert(folder / "model", texts, **sizes)
    found: dict[str, Any] = {name: {"kept": None, "accuracies": []} for name in SETTINGS}
    for run in range(repeats + 1):
        # With replacement: draws of a small pool without it would have most of their rows in common.
        drawn = numpy.random.default_rng([seed, run]).integers(0, len(others), VALIDATION)
        data = {"train": training, "validation": [others[number] for number in drawn]}
        for number, name in enumerate(SETTINGS):
            accuracy, kept = finished(name, data, model, 1000 * seed + len(SETTINGS) * run + number, folder)
            if run == 0:
                found[name]["kept"] = kept
            else:
                found[name]["accuracies"].append(accuracy)
    return found


def verdicts(one: dict[str, Any], other: dict[str, Any], repeats: int) -> dict[str, Any]:
    """Return the verdict of a pair of settings and that of its repeated runs."""
    from adapt_core.report.paired import pairs
    from adapt_core.uncertainty.paired import LEVEL

    [pair] = pairs([one["kept"], other["kept"]])
    test = pair.tests["accuracy"]
    both = list(zip(one["accuracies"], other["accuracies"], strict=True))
    ahead = max(sum(b > a for a, b in both), sum(b < a for a, b in both))
    agree = (test.p < LEVEL) == (ahead >= 0.95 * repeats)
    return {"difference": round(test.difference, 4), "p": round(test.p, 4), "ahead": ahead, "agree": bool(agree)}


def main() -> None:
    """Print each pair, and how many verdicts agree."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data" / "ag_news")
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        os.environ.setdefault("HF_HOME", f"{name}/cache")
        found = measured(read(given.data), given.repeats, given.seed, Path(name))
    couples = list(itertools.combinations(SETTINGS, 2))
    order = numpy.random.default_rng(given.seed).permutation(len(couples))[:PAIRS].tolist()
    agreed = 0
    for number in order:
        one, other = couples[number]
        told = verdicts(found[one], found[other], given.repeats)
        agreed += told["agree"]
        print(json.dumps({"pair": [one, other], **told}), flush=True)
    means = {name: round(float(numpy.mean(each["accuracies"])), 3) for name, each in found.items()}
    print(json.dumps({"mean accuracies": means}))
    print(json.dumps({"agree": agreed, "pairs": len(order)}))


if __name__ == "__main__":
    main()
