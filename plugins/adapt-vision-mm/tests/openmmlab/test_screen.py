"""What OpenMMLab prints does not reach the screen: of a whole run, each line there is adapt's own."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .detectors import SMALL_RTMDET

pytest.importorskip("mmdet", reason="needs adapt-vision-mm[detection]")

MASKS = {**SMALL_RTMDET, "model.bbox_head.num_prototypes": 4}
JOBS: dict[str, dict[str, Any]] = {
    "object_detection": {"MODEL_PATH": "rtmdet_tiny_8xb32-300e_coco", "cfg_options": SMALL_RTMDET},
    "instance_segmentation": {"MODEL_PATH": "rtmdet-ins_tiny_8xb32-300e_coco", "cfg_options": MASKS},
    "pose_detection": {"MODEL_PATH": "rtmpose-t_8xb256-420e_coco-256x192"},
}
PROGRESS = re.compile(r"training \d+/\d+|step \d+ \(epoch [\d.]+\): ")
"""Adapt's own lines that the log does not repeat."""


def test_the_import_of_openmmlab_prints_nothing() -> None:
    source = "from adapt_vision_mm.openmmlab.availability import import_openmmlab; import_openmmlab('mmdet')"
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr  # a library may warn


def test_predictions_and_exports_are_all_that_the_screen_shows(
    trained: Path, squares: Path, tmp_path: Path, forked_adapt: Callable[..., Any]
) -> None:
    """mmdet warns of a package that only its own metrics need."""
    for command in (
        ["predict", str(trained), str(squares / "1.png"), "--json"],
        ["export", str(trained), "--save-method", "safetensors", "-o", str(tmp_path / "exported")],
    ):
        done = forked_adapt(*command)
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
@pytest.mark.parametrize("task", list(JOBS))
def test_the_screen_of_a_run_has_no_line_of_a_library(
    task: str, squares: Path, triangles: Path, tmp_path: Path
) -> None:
    """With processes that load data, validation, checkpoints, samples, report and the prediction of a test split."""
    if task == "pose_detection":
        pytest.importorskip("mmpose", reason="needs mmpose (pip install --no-deps mmpose)")
    data = triangles if task == "pose_detection" else squares
    keys = {
        "TASK": task,
        **JOBS[task],
        "CUSTOM_DATASET_PATH": str(data),
        "train_ann_file": "train.json",
        "val_ann_file": "val.json",
        "TEST_DIR": str(data),
        "DO_PREDICT": True,
        "OUTPUT_DIR": str(tmp_path / "run"),
        "BATCH_SIZE": 4,
        "EPOCHS": 2,
        "NUM_WORKERS": 1,
        **({} if task == "pose_detection" else {"image_size": 96}),
    }
    (tmp_path / "config.json").write_text(json.dumps(keys), encoding="utf-8")
    command = [sys.executable, "-m", "adapt_core", "run", str(tmp_path / "config.json"), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["steps"] > 0
    log = (tmp_path / "run" / "log.txt").read_text(encoding="utf-8").splitlines()
    log = [line for line in log if re.search(r" (?:INFO|WARNING) adapt_\w+\.", line)]
    strays = [
        line
        for line in done.stderr.splitlines()
        if line.strip()
        and not PROGRESS.match(line)
        and not any(known.endswith(line.removeprefix("warning: ")) for known in log)
    ]
    assert strays == []
