"""Left is never learned as right: which points change places in a mirrored image, and when no image is mirrored."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from adapt_core.config.resolver import RunConfig, resolve
from adapt_core.plugin.registry import Registry

from adapt_vision_mm.pose_detection.data import PoseData
from adapt_vision_mm.pose_detection.mirrored_points import may_mirror, mirrored, mirrored_pairs

MakePlan = Callable[..., Any]


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("left ear", "right ear"),
        ("earLeft", "earRight"),
        ("LEFT_EYE", "right_eye"),
        ("L_eye", "R_eye"),
        ("Hip_L", "Hip_R"),
        ("lShoulder", "rShoulder"),
        ("LShoulder", "RShoulder"),
        ("eye.l", "eye.r"),
        ("eyeL", "eyeR"),
        ("l-wing-tip", "r-wing-tip"),
        ("paw (L)", "paw (R)"),
    ],
)
def test_a_pair_is_recognised_by_its_names(left: str, right: str) -> None:
    names = ["nose", left, right, "tail"]
    assert [mirrored(name, names) for name in names] == ["", right, left, ""]
    assert mirrored_pairs(names) == [(left, right)]
    assert may_mirror(names)


@pytest.mark.parametrize(
    "names", [["nose", "tail"], ["nose", "left ear"], ["L_eye", "R_eye", "Hip_L"], ["leg", "reg"], ["lip", "Rip"]]
)
def test_without_a_counterpart_for_each_side_nothing_is_mirrored(names: list[str]) -> None:
    assert not may_mirror(names)


@pytest.fixture
def plan(tmp_path: Path) -> MakePlan:
    """A plan of pose_detection on one image with the given keypoints."""

    def make(points: list[str], **keys: Any) -> Any:
        Image.new("RGB", (40, 30)).save(tmp_path / "a.png")
        box = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 20, 20], "keypoints": [5, 5, 2] * len(points)}
        data = {
            "images": [{"id": 1, "file_name": "a.png"}],
            "categories": [{"id": 1, "name": "animal", "keypoints": points}],
            "annotations": [box],
        }
        (tmp_path / "all.json").write_text(json.dumps(data), encoding="utf-8")
        given = {
            "TASK": "pose_detection",
            "MODEL_PATH": "rtmpose-t_8xb256-420e_coco-256x192",
            "CUSTOM_DATASET_PATH": str(tmp_path),
            "train_ann_file": "all.json",
            "val_ann_file": "all.json",
            **keys,
        }
        return resolve(RunConfig.read(given), Registry.discover())

    return make


def test_the_pairs_are_listed_before_training(plan: MakePlan, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        PoseData(plan(["nose", "L_eye", "R_eye", "Hip_L", "Hip_R"])).read_splits()
    assert "in mirrored images these keypoints change places: L_eye / R_eye, Hip_L / Hip_R" in caplog.text


@pytest.mark.parametrize(
    ("points", "said"),
    [(["nose", "tail"], "no name says left or right"), (["nose", "L_eye"], "no counterpart for: L_eye")],
)
def test_that_nothing_is_mirrored_is_said(
    plan: MakePlan, caplog: pytest.LogCaptureFixture, points: list[str], said: str
) -> None:
    PoseData(plan(points)).read_splits()
    assert "training images are not mirrored" in caplog.text
    assert said in caplog.text
    caplog.clear()
    PoseData(plan(points, augment=False)).read_splits()
    assert "mirrored" not in caplog.text


@pytest.mark.parametrize(("points", "mirrors"), [(["L_eye", "R_eye"], True), (["nose", "tail"], False)])
def test_the_pipeline_of_a_model_mirrors_only_where_pairs_are_known(
    plan: MakePlan, points: list[str], mirrors: bool
) -> None:
    pytest.importorskip("mmpose", reason="needs mmpose")
    from adapt_vision_mm.pose_detection.task import PoseDetection

    pipeline = PoseDetection(plan(points)).models.adapted.config.train_pipeline
    assert ("RandomFlip" in [step["type"] for step in pipeline]) is mirrors
    assert "YOLOXHSVRandomAug" in " ".join(step["type"] for step in pipeline)
