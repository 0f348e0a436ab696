"""adapt beside a plain Trainer script: equal losses and metrics, and what adapt costs.

    python benchmarks/text_classification.py --data ../shared/data/ag_news --method full --pairs 6 --side-by-side

Both sides run as whole processes with the same model, data, seed, phases, workers and threads: in turn (A B A B ...),
or with --side-by-side at the same time on one core each, the cores swapped from pair to pair.
Prints one JSON object: both sides' metrics, the greatest difference of losses and metrics, and the ratio adapt / plain
of the training phase and of the whole process, as median, least and greatest over the pairs.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from packaged_models import minilm
from pairs import in_turn, side_by_side, spread

ROOT = Path(__file__).parent.parent
LEARNING = {"full": {"lr": 1e-4}, "last_layer": {"lr": 1e-2}}


def adapt_command(folder: Path, arguments: argparse.Namespace, settings: dict[str, Any]) -> list[str]:
    """What runs adapt into a folder; its config is written beside it."""
    keys = {
        "TASK": "text_classification",
        "method": arguments.method,
        "MODEL_PATH": minilm(),
        "CUSTOM_DATASET_PATH": str(arguments.data),
        "OUTPUT_DIR": str(folder),
        "EPOCHS": settings["epochs"],
        "LR": settings["lr"],
        "max_seq_length": settings["max_length"],
        "MAX_TRAIN_SAMPLES": settings["max_train"],
        "MAX_EVAL_SAMPLES": settings["max_eval"],
        "NUM_WORKERS": 0,
        "SAVE_METHOD": "save_pretrained",
    }
    config = folder.with_suffix(".json")
    config.write_text(json.dumps(keys), encoding="utf-8")
    return [sys.executable, "-m", "adapt_core", "run", str(config), "--json"]


def losses(folder: Path) -> list[float]:
    """The training losses that a run of adapt logged."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return [line["loss"] for line in lines if line["phase"] == "train"]


def main() -> None:
    """Runs the pairs and prints the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT / "examples" / "inbox")
    parser.add_argument("--method", choices=list(LEARNING), default="full")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--epochs", type=float, default=1)
    parser.add_argument("--max-train", type=int)
    parser.add_argument("--max-eval", type=int)
    parser.add_argument("--side-by-side", action="store_true", help="both at once, one core each")
    arguments = parser.parse_args()
    settings = {
        "epochs": arguments.epochs,
        "max_length": 128,
        "max_train": arguments.max_train,
        "max_eval": arguments.max_eval,
        **LEARNING[arguments.method],
    }
    training, whole = [], []
    difference = 0.0
    with tempfile.TemporaryDirectory() as temporary:
        env = {**os.environ, "HF_DATASETS_CACHE": f"{temporary}/cache", "TOKENIZERS_PARALLELISM": "false"}
        plain_settings = json.dumps({**settings, "last_layer": arguments.method == "last_layer"})
        script = str(Path(__file__).parent / "plain_text_classification.py")
        for number in range(arguments.pairs + 1):
            folder = Path(temporary) / f"adapt-{number}"
            plain_folder = f"{temporary}/plain-{number}"
            pair = side_by_side if arguments.side_by_side else in_turn
            (ours, our_seconds), (plain, plain_seconds) = pair(
                adapt_command(folder, arguments, settings),
                [sys.executable, script, minilm(), str(arguments.data), plain_folder, plain_settings],
                env,
                number,
            )
            pairs = [*zip(losses(folder), plain["losses"], strict=True)]
            for phase in ("before", "after"):
                pairs += [(ours["metrics"][phase][name], plain[phase][name]) for name in plain[phase]]
            difference = max(difference, *(abs(a - b) for a, b in pairs))
            if number:  # the first pair warms the file system and the tokenized data of both
                training.append(ours["train_seconds"] / plain["train_seconds"])
                whole.append(our_seconds / plain_seconds)
    report = {
        "data": arguments.data.name,
        "method": arguments.method,
        "pairs": arguments.pairs,
        "side_by_side": arguments.side_by_side,
        "before": plain["before"],
        "adapt": ours["metrics"]["after"],
        "plain": plain["after"],
        "greatest_difference": difference,
        "training_ratio": spread(training) if training else None,
        "whole_ratio": spread(whole) if whole else None,
        "train_seconds": {"adapt": ours["train_seconds"], "plain": plain["train_seconds"]},
        "versions": ours["versions"],
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
