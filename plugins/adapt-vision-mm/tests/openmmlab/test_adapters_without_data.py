"""The adapter of a detector or pose model is used from the run folder and the base: its annotations may be gone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import adapt_core

pytest.importorskip("mmdet", reason="needs adapt-vision-mm[detection]")
pytest.importorskip("adapt_peft_ssf", reason="needs adapt-peft-ssf")

from .detectors import SMALL_RTMDET

MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "object_detection": ("rtmdet_tiny_8xb32-300e_coco", {"cfg_options": SMALL_RTMDET, "image_size": 96}),
    "instance_segmentation": ("rtmdet-ins_tiny_8xb32-300e_coco", {"cfg_options": SMALL_RTMDET, "image_size": 96}),
    "pose_detection": ("rtmpose-t_8xb256-420e_coco-256x192", {}),
}


@pytest.mark.parametrize("task", [pytest.param(task, marks=pytest.mark.slow) for task in MODELS])
def test_an_adapter_is_used_without_the_annotations_of_its_run(
    task: str, squares: Path, triangles: Path, tmp_path: Path
) -> None:
    if task == "pose_detection":
        pytest.importorskip("mmpose", reason="needs mmpose")
    model, options = MODELS[task]
    data, run = tmp_path / "data", tmp_path / "run"
    shutil.copytree(triangles if task == "pose_detection" else squares, data)
    keys = {
        "TASK": task,
        "CUSTOM_DATASET_PATH": str(data),
        "train_ann_file": "train.json",
        "val_ann_file": "val.json",
        "augment": False,
        "BATCH_SIZE": 4,
        "MAX_STEPS": 2,
        "LR": 4e-3,
        "NUM_WORKERS": 0,
        "INTERVAL": "no",
        "DO_EVAL": False,
        "score_threshold": 0.0,
    }
    adapt_core.run({**keys, **options, "MODEL_PATH": model, "OUTPUT_DIR": str(tmp_path / "base")})
    adapter = {"MODEL_PATH": str(tmp_path / "base" / "model"), "method": "LoRA", "OUTPUT_DIR": str(run)}
    adapt_core.run({**keys, **options, **adapter, "cfg_options": None, "MERGE_ADAPTER": False})
    adapt_core.run({**keys, **options, **adapter, "cfg_options": None, "OUTPUT_DIR": str(tmp_path / "merged")})
    shutil.move(data, tmp_path / "moved")
    assert not (run / "model").exists()

    image = [str(tmp_path / "moved" / "1.png")]
    [found] = adapt_core.predict(run, image)
    [expected] = adapt_core.predict(tmp_path / "merged", image)
    assert found["detections"] == expected["detections"]
    exported = adapt_core.export(run, "safetensors", tmp_path / "exported")
    metas = [(folder / "config.py").read_text() for folder in (exported, tmp_path / "merged" / "model")]
    assert metas[0] == metas[1]
    kept = json.loads((run / "adapter" / "data.json").read_text(encoding="utf-8"))
    assert kept["labels"] == [category["name"] for category in kept["facts"]["categories"]]
