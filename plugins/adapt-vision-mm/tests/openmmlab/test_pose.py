"""pose_detection: annotated points read and judged, and whole runs of a one-stage and a top-down model."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import adapt_core
from adapt_core.errors import DataError, InputError

pytest.importorskip("mmpose", reason="needs mmpose (pip install --no-deps mmpose)")

from .detectors import POINTS


@pytest.fixture
def run(triangles: Path, tmp_path: Path) -> Callable[..., Any]:
    """Runs pose_detection on the triangles, with changes."""

    def run_with(**changes: Any) -> Any:
        keys = {
            "TASK": "pose_detection",
            "CUSTOM_DATASET_PATH": str(triangles),
            "train_ann_file": "train.json",
            "val_ann_file": "val.json",
            "OUTPUT_DIR": str(tmp_path / "run"),
            "augment": False,
            "BATCH_SIZE": 4,
            "LR": 2e-3,
            "NUM_WORKERS": 0,
            "INTERVAL": "no",
        }
        return adapt_core.run({**keys, **changes})

    return run_with


@pytest.mark.parametrize(
    ("points", "said"),
    [
        ([1, 2, 2], "keypoints has 3 numbers; 3 points are 9"),
        ([float("nan"), 1, 2] * 3, "keypoints contains a non-numeric value"),
        (["1", "1", "2"] * 3, "keypoints contains a non-numeric value"),
        ([1, 1, 2, 1, 1, 3, 1, 1, 2], "keypoints: the visibility of 'left ear' is 3; it is 0"),
        ([1, 1, 0.7] * 3, "keypoints: the visibility of 'tip' is 0.7; it is 0"),
    ],
)
def test_points_that_cannot_be_are_named(triangles: Path, tmp_path: Path, points: list[Any], said: str) -> None:
    data = json.loads((triangles / "train.json").read_text())
    data["annotations"][2]["keypoints"] = points
    (tmp_path / "train.json").write_text(json.dumps(data), encoding="utf-8")
    keys = {
        "TASK": "pose_detection",
        "MODEL_PATH": "rtmo-s_8xb32-600e_coco-640x640",
        "CUSTOM_DATASET_PATH": str(triangles),
        "train_ann_file": str(tmp_path / "train.json"),
        "val_ann_file": "val.json",
        "TRAIN_DIR": str(triangles),
    }
    with pytest.raises(DataError, match=f"annotation 3: {said}"):
        adapt_core.check(keys)


def test_a_top_down_model_learns_the_points_and_predicts_them(
    run: Callable[..., Any], triangles: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    result = run(MODEL_PATH="rtmpose-t_8xb256-420e_coco-256x192", EPOCHS=25)
    assert result.metrics["after"]["keypoint_AP50"] > result.metrics["before"]["keypoint_AP50"] + 0.3
    found = adapt_core.predict(tmp_path / "run", [str(triangles / "1.png")])[0]
    assert set(found["detections"][0]["keypoints"]) == set(POINTS) if found["detections"] else True
    assert Path(found["drawn"]).is_file()
    assert "without boxes, each image is taken as one body: crop the images to the bodies" in caplog.text


def test_a_top_down_model_keeps_its_size(run: Callable[..., Any]) -> None:
    with pytest.raises(InputError, match="image_size: a top-down model"):
        run(MODEL_PATH="rtmpose-t_8xb256-420e_coco-256x192", image_size=128)


def test_the_loss_of_rtmo_falls_and_its_sigmas_are_the_annotated_ones(run: Callable[..., Any], tmp_path: Path) -> None:
    run(MODEL_PATH="rtmo-s_8xb32-600e_coco-640x640", image_size=96, EPOCHS=8, DO_EVAL=False, LOGGING_STEPS=1)
    found = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    losses = [line["loss"] for line in found if line["phase"] == "train"]
    assert sum(losses[-4:]) < sum(losses[:4])
