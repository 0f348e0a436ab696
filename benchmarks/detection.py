"""adapt compared with a plain mmengine script: RTMDet-tiny on blood cells, from scratch.

    python -m benchmarks.detection --data ../shared/data/bccd_coco --pairs 3

Both sides run as whole processes at the same time, on one core each, and swap cores from pair to pair: the same model,
images, pipeline, batch size and optimizer. The order of the images and the random crops differ, so only the ratios
adapt / plain count: samples a second, seconds to the first step, of an evaluation and of the process, memory. The means
of the last losses are shown beside them.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from benchmarks.pairs import losses_of, side_by_side, spread
from benchmarks.plain.detection import CONFIG
from benchmarks.targets import with_targets
from benchmarks.watched import figures, noted

ROOT = Path(__file__).parent.parent


def adapt_config(folder: Path, arguments: argparse.Namespace) -> Path:
    """Return the config of adapt's side."""
    keys = {
        "TASK": "object_detection",
        "MODEL_PATH": CONFIG,
        "CUSTOM_DATASET_PATH": str(arguments.data.resolve()),
        "TRAIN_DIR": "train",
        "train_ann_file": "annotations/instances_train.json",
        "VAL_DIR": "val",
        "val_ann_file": "annotations/instances_val.json",
        "MAX_EVAL_SAMPLES": arguments.evaluated,
        "OUTPUT_DIR": str(folder),
        "image_size": arguments.size,
        "BATCH_SIZE": arguments.batch_size,
        "MAX_STEPS": arguments.steps,
        "EPOCHS": 1000,
        "END": 1000,
        "LR": arguments.lr,
        "NUM_WORKERS": arguments.workers,
        "LOGGING_STEPS": 1,
        "INTERVAL": "no",
        "VERDICT": "none",
    }
    config = folder.with_suffix(".json")
    config.write_text(json.dumps(keys), encoding="utf-8")
    return config


def last_losses(losses: list[float]) -> float:
    """Return the mean loss of the last quarter."""
    return round(statistics.mean(losses[-max(1, len(losses) // 4) :]), 3)


def compared(arguments: argparse.Namespace, temporary: Path) -> dict[str, Any]:
    """Run the pairs side by side and return the comparison."""
    data = arguments.data.resolve()
    settings = {
        name: getattr(arguments, name) for name in ("steps", "lr", "batch_size", "size", "workers", "evaluated")
    }
    ratios: dict[str, list[float]] = defaultdict(list)
    for number in range(arguments.pairs):
        folder = temporary / f"adapt-{number}"
        other = temporary / f"plain-{number}"
        ours = noted("mmengine", folder, "adapt_core", "run", str(adapt_config(folder, arguments)), "--json")
        place = (str(data / "annotations" / "instances_train.json"), str(data), str(other))
        plain = noted("mmengine", other, "benchmarks.plain.detection", *place, json.dumps(settings))
        both = side_by_side(ours, plain, dict(os.environ), number)
        (adapted, _), (bare, _) = both
        found = figures(both, (folder, other))
        for name, ratio in found.items():
            ratios[name].append(ratio)
        losses = losses_of(folder)
        shown = {**found, "adapt": last_losses(losses), "plain": last_losses(bare["losses"])}
        print(json.dumps(shown), file=sys.stderr)
    return {
        **settings,
        "pairs": arguments.pairs,
        **{name: spread(values) for name, values in ratios.items()},
        "last_losses": {"adapt": last_losses(losses), "plain": last_losses(bare["losses"])},
        "versions": adapted["versions"],
    }


def main() -> None:
    """Run the pairs and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data" / "bccd_coco")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--evaluated", type=int, default=24, help="images of an evaluation")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        print(json.dumps(with_targets("detection", compared(arguments, Path(temporary))), indent=2))


if __name__ == "__main__":
    main()
