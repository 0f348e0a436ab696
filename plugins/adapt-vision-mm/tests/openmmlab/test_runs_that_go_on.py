"""START_FROM with detectors and poses: the same model, with the classes that it knows, on new annotations."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import adapt_core
from adapt_core.errors import DataError, InputError

from .detectors import SMALL_RTMDET

pytest.importorskip("mmdet", reason="needs adapt-vision-mm[detection]")

KEYS = {"image_size": 96, "BATCH_SIZE": 4, "NUM_WORKERS": 0, "INTERVAL": "no", "VERDICT": "none", "augment": False}
SMALL = {"MODEL_PATH": "rtmdet_tiny_8xb32-300e_coco", "cfg_options": SMALL_RTMDET}
FULL = {"LR": 4e-3, "EPOCHS": 2}
ADAPTER = {"method": "LoRA", "r": 2, "MERGE_ADAPTER": False, "EPOCHS": 1}

Keys = dict[str, Any]
Change = Callable[[dict[str, Any]], None]


def meta_of(folder: Path) -> dict[str, Any]:
    saved: dict[str, Any] = torch.load(folder / "model" / "checkpoint.pth", weights_only=True)["meta"]["dataset_meta"]
    return saved


def changed(source: Path, folder: Path, change: Change) -> Path:
    """Write annotations with a change, beside links to their images."""
    folder.mkdir()
    for image in source.glob("*.png"):
        (folder / image.name).symlink_to(image)
    for name in ("train.json", "val.json"):
        data = json.loads((source / name).read_text(encoding="utf-8"))
        change(data)
        (folder / name).write_text(json.dumps(data), encoding="utf-8")
    return folder


def blue_alone(data: dict[str, Any]) -> None:
    """Keep one class, under another id."""
    data["categories"] = [{"id": 1, "name": "blue"}]
    data["annotations"] = [{**one, "category_id": 1} for one in data["annotations"] if one["category_id"] == 9]


def blue_first(data: dict[str, Any]) -> None:
    """Number the classes the other way round."""
    data["categories"] = [{"id": 1, "name": "blue"}, {"id": 2, "name": "red"}]
    for one in data["annotations"]:
        one["category_id"] = {4: 2, 9: 1}[one["category_id"]]


def with_green(data: dict[str, Any]) -> None:
    data["categories"].append({"id": 10, "name": "green"})
    data["annotations"][0]["category_id"] = 10


@pytest.fixture(scope="module")
def first(squares: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Keys], tuple[Path, Any]]:
    """Returns a finished run of object detection, and its result."""
    made: dict[str, tuple[Path, Any]] = {}

    def run_of(keys: Keys) -> tuple[Path, Any]:
        if str(keys) not in made:
            folder = tmp_path_factory.mktemp("first") / "run"
            own = {"TASK": "object_detection", "CUSTOM_DATASET_PATH": str(squares), "OUTPUT_DIR": str(folder)}
            made[str(keys)] = folder, adapt_core.run({**KEYS, **SMALL, **own, **keys})
        return made[str(keys)]

    return run_of


def further(start: Path, data: Path, folder: Path, **changes: Any) -> Any:
    own = {"START_FROM": str(start), "CUSTOM_DATASET_PATH": str(data), "OUTPUT_DIR": str(folder)}
    return adapt_core.run({**KEYS, "EPOCHS": 1, **own, **changes})


@pytest.mark.parametrize("keys", [FULL, ADAPTER], ids=["full", "adapter"])
def test_a_detector_goes_on_with_its_classes_whatever_their_numbers(
    first: Any, squares: Path, tmp_path: Path, keys: Keys
) -> None:
    if keys is ADAPTER:
        pytest.importorskip("adapt_peft_ssf")
        keys = {**keys, "MODEL_PATH": str(first(FULL)[0] / "model"), "cfg_options": None}
    start, result = first(keys)
    data = changed(squares, tmp_path / "data", blue_first)
    second = further(start, data, tmp_path / "second", METRIC_FOR_BEST="loss")
    again = further(start, squares, tmp_path / "again", METRIC_FOR_BEST="loss")
    assert second.metrics == again.metrics
    assert second.metrics["before"]["mAP"] == pytest.approx(result.metrics["after"]["mAP"], abs=1e-6)
    assert second.training_check["verdict"] == "learned"
    adapt_core.predict(tmp_path / "second", [str(squares / "1.png")])


def test_fewer_classes_train_and_all_are_kept(
    first: Any, squares: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    start, _ = first(FULL)
    further(start, changed(squares, tmp_path / "data", blue_alone), tmp_path / "second")
    assert meta_of(tmp_path / "second")["classes"] == meta_of(start)["classes"] == ["red", "blue"]
    assert "the training split has no row of 1 class (red) that the model knows" in caplog.text


def test_an_unknown_class_is_refused_by_name(first: Any, squares: Path, tmp_path: Path) -> None:
    start, _ = first(FULL)
    data = changed(squares, tmp_path / "data", with_green)
    with pytest.raises(InputError, match=r"1 class \(green\) that the model of the run does not know"):
        further(start, data, tmp_path / "second")


@pytest.mark.slow
def test_masks_go_on_too(squares: Path, tmp_path: Path) -> None:
    keys = {"TASK": "instance_segmentation", "MODEL_PATH": "rtmdet-ins_tiny_8xb32-300e_coco", **FULL, "EPOCHS": 1}
    own = {"CUSTOM_DATASET_PATH": str(squares), "OUTPUT_DIR": str(tmp_path / "first")}
    adapt_core.run({**KEYS, "cfg_options": SMALL_RTMDET, **keys, **own})
    further(tmp_path / "first", changed(squares, tmp_path / "data", blue_alone), tmp_path / "second")
    assert meta_of(tmp_path / "second")["classes"] == ["red", "blue"]


@pytest.mark.slow
def test_poses_go_on_with_the_same_points_alone(triangles: Path, tmp_path: Path) -> None:
    pytest.importorskip("mmpose", reason="needs mmpose (pip install --no-deps mmpose)")
    keys = {key: value for key, value in KEYS.items() if key != "image_size"}
    own = {
        "TASK": "pose_detection",
        "MODEL_PATH": "rtmpose-t_8xb256-420e_coco-256x192",
        "OUTPUT_DIR": str(tmp_path / "a"),
    }
    one = adapt_core.run({**keys, **own, "CUSTOM_DATASET_PATH": str(triangles), "EPOCHS": 1, "LR": 2e-3})
    on = {**keys, "START_FROM": str(tmp_path / "a"), "EPOCHS": 1}
    two = adapt_core.run({**on, "CUSTOM_DATASET_PATH": str(triangles), "OUTPUT_DIR": str(tmp_path / "b")})
    assert two.metrics["before"] == pytest.approx(one.metrics["after"], abs=1e-5)

    def swapped(data: dict[str, Any]) -> None:
        data["categories"][0]["keypoints"].reverse()

    other = changed(triangles, tmp_path / "data", swapped)
    with pytest.raises(DataError, match="has other keypoints, or in another order, than in the model of START_FROM"):
        adapt_core.run({**on, "CUSTOM_DATASET_PATH": str(other), "OUTPUT_DIR": str(tmp_path / "c")})
