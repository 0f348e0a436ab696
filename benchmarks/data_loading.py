"""Images loaded per second, compared with images trained on per second.

    python -m benchmarks.data_loading --data ../shared/data [--steps 12]

Image classification (EfficientNet-Lite0, its last layer alone: the fastest training there is) and object detection
(RTMDet-tiny). One loading process reads, decodes and varies a job's training images as `adapt run` would, with nothing
to wait for; then `adapt run` trains on them with one loading process. Prints, for each job, the images a second of both
and loading over training: above 1 the model never waits in the long run.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from adapt_core import api
from adapt_core.execution.components import Components
from adapt_core.nn.random_state import seed_everything
from benchmarks.pairs import Running
from benchmarks.results.cases.case import LITE0

_COMMON = {"NUM_WORKERS": 1, "EPOCHS": 1000, "INTERVAL": "no", "DO_EVAL": False}


def jobs(data: Path) -> dict[str, dict[str, Any]]:
    """Return the configs."""
    return {
        "image_classification": {
            "TASK": "image_classification",
            "MODEL_PATH": "tf_efficientnet_lite0",
            "LOCAL_MODEL_PATH": LITE0,
            "load_by_order": True,
            "CUSTOM_DATASET_PATH": str(data / "hymenoptera"),
            "method": "last_layer",
            "BATCH_SIZE": 16,
        },
        "object_detection": {
            "TASK": "object_detection",
            "MODEL_PATH": "rtmdet_tiny_8xb32-300e_coco",
            "CUSTOM_DATASET_PATH": str(data / "bccd_coco"),
            "TRAIN_DIR": "train",
            "train_ann_file": "annotations/instances_train.json",
            "image_size": 256,
            "BATCH_SIZE": 8,
        },
    }


def loaded_per_second(config: dict[str, Any], steps: int) -> float:
    """Return the images per second of one loader process, from its second batch on."""
    from torch.utils.data import DataLoader

    plan = api.check(config)
    seed_everything(plan.training.seed)
    data = Components.of(plan).task.load_data()
    if plan.loop == "mm":
        from mmengine.dataset import pseudo_collate as collate
    else:
        from adapt_vision_mm.image_classification.collate import collate
    size = plan.training.batch_size
    loader = iter(DataLoader(data.train, size, shuffle=True, num_workers=1, collate_fn=collate, drop_last=True))
    next(loader)
    counted = min(steps, len(data.train) // size - 1)
    start = time.perf_counter()
    for _ in range(counted):
        next(loader)
    return counted * size / (time.perf_counter() - start)


def trained_per_second(config: dict[str, Any], folder: Path, steps: int) -> float:
    """Return the images per second of the training phase."""
    file = folder / "config.json"
    file.write_text(json.dumps({**config, "MAX_STEPS": steps}), encoding="utf-8")
    result, _ = Running([sys.executable, "-m", "adapt_core", "run", str(file), "--json"], dict(os.environ)).outcome()
    return float(result["samples_per_second"])


def main() -> None:
    """Measure both jobs and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=12)
    given = parser.parse_args()
    table = {}
    for name, keys in jobs(given.data.resolve()).items():
        with tempfile.TemporaryDirectory() as temporary:
            config = {**_COMMON, **keys, "OUTPUT_DIR": f"{temporary}/run"}
            loading = loaded_per_second(config, given.steps)
            training = trained_per_second(config, Path(temporary), given.steps)
        table[name] = {
            "loaded_per_second": round(loading, 1),
            "trained_per_second": round(training, 1),
            "loading_over_training": round(loading / training, 2),
        }
    print(json.dumps(table, indent=2))


if __name__ == "__main__":
    main()
