"""What detection, segmentation and pose give the report and `adapt check`: pictures and classes."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops

import adapt_core
from adapt_core import api
from adapt_core.testing.reports import figures_without_place

pytest.importorskip("mmdet", reason="needs adapt-vision-mm[detection]")

from .detectors import POINTS, SMALL_RTMDET

Keys = dict[str, Any]
SMALL_INSTANCES = {**SMALL_RTMDET, "model.bbox_head.num_prototypes": 4}


@pytest.fixture
def keys(squares: Path, triangles: Path, tmp_path: Path) -> Callable[[str], Keys]:
    """A few steps of each task on a small model."""
    models = {
        "object_detection": ("rtmdet_tiny_8xb32-300e_coco", SMALL_RTMDET, squares),
        "instance_segmentation": ("rtmdet-ins_tiny_8xb32-300e_coco", SMALL_RTMDET, squares),
        "pose_detection": ("rtmpose-t_8xb256-420e_coco-256x192", None, triangles),
    }

    def of(task: str) -> Keys:
        name, options, data = models[task]
        size = {} if task == "pose_detection" else {"image_size": 96}
        return {
            "TASK": task,
            "MODEL_PATH": name,
            "cfg_options": options,
            "CUSTOM_DATASET_PATH": str(data),
            "train_ann_file": "train.json",
            "val_ann_file": "val.json",
            "OUTPUT_DIR": str(tmp_path / "run"),
            "augment": False,
            "BATCH_SIZE": 4,
            "MAX_STEPS": 3,
            "LR": 4e-3,
            "NUM_WORKERS": 0,
            "INTERVAL": "no",
            "score_threshold": 0.0,
            **size,
        }

    return of


def shown(uri: str) -> Image.Image:
    head, _, content = uri.partition(",")
    assert head == "data:image/jpeg;base64"
    return Image.open(io.BytesIO(base64.b64decode(content))).convert("RGB")


def differ(one: Image.Image, other: Image.Image) -> bool:
    return ImageChops.difference(one, other).getbbox() is not None


@pytest.mark.parametrize("task", ["object_detection", "instance_segmentation", "pose_detection"])
def test_images_are_shown_as_annotated_and_as_predicted(
    keys: Callable[[str], Keys], task: str, squares: Path, triangles: Path, tmp_path: Path
) -> None:
    if task == "pose_detection":
        pytest.importorskip("mmpose", reason="needs mmpose")
    result = adapt_core.run(keys(task))
    found = json.loads((tmp_path / "run" / "evaluation.json").read_text(encoding="utf-8"))
    folder = triangles if task == "pose_detection" else squares
    for moment in ("before", "after"):
        samples = found[moment]["samples"]
        assert len(samples) == 6
        plain = Image.open(folder / samples[0]["input"]).convert("RGB")
        truth = shown(samples[0]["expected"])
        assert truth.size == plain.size == shown(samples[0]["predicted"]).size
        assert differ(truth, plain)
    table = found["after"]["per_class"]
    for name, value in result.metrics["after"].items():
        if 0 < value < 1:
            low, high = result.intervals["after"][name]
            assert 0 <= low <= value <= high <= 1
    assert table["confusion"] is None
    if task == "pose_detection":
        assert table["labels"] == POINTS
        assert table["figures"]["points"] == [12, 12, 12]
        return
    assert table["labels"] == ["red", "blue"]
    assert table["figures"]["objects"] == [16, 16]
    name = "mAP" if task == "object_detection" else "mask_mAP"
    assert sum(table["figures"]["AP"]) / 2 == pytest.approx(result.metrics["after"][name], abs=1e-6)


@pytest.mark.parametrize("task", ["object_detection", "instance_segmentation", "pose_detection"])
def test_check_draws_what_the_model_sees(keys: Callable[[str], Keys], task: str) -> None:
    if task == "pose_detection":
        pytest.importorskip("mmpose", reason="needs mmpose")
    found = api.estimate(api.check(keys(task)), pictures=True)
    assert found.pictures is not None
    sheet = Image.open(io.BytesIO(found.pictures)).convert("RGB")
    wide, high = (192, 256) if task == "pose_detection" else (96, 64)
    assert sheet.size == (4 * (wide + 8), 2 * (high + 18))
    colours = {colour for _, colour in sheet.getcolors(1 << 24) or ()}
    drawn = {(255, 0, 0)} if task == "pose_detection" else {(230, 57, 70), (29, 120, 200)}
    assert drawn <= colours
    told = found.formats["train"]
    assert told["format"] in {"coco", "label_maps"}
    assert told["reason"] in {"train.json is JSON", "train.txt is a list of images"}
    assert len(found.examples) == 3
    assert all(name.endswith((".jpg", ".png")) and " x " in size for (name, size), *_ in found.examples)
    assert sum(found.classes.values()) == (12 if task == "pose_detection" else 32)


def test_points_that_are_found_exactly_are_near(triangles: Path) -> None:
    from adapt_vision_mm.annotations.class_metrics import keypoint_accuracy
    from adapt_vision_mm.annotations.formats import coco

    split = coco.read(triangles / "val.json", triangles, skip=False)
    exact = [{"image_id": p.id, "keypoints": a["keypoints"]} for p in split.images for a in p.annotations]
    table = keypoint_accuracy(split, exact)
    assert table.figures["within 0.1 of the size"] == [1.0, 1.0, 1.0]
    assert table.figures["mean distance / size"] == [0.0, 0.0, 0.0]
    far = [{**e, "keypoints": [v + 25 if i % 3 == 0 else v for i, v in enumerate(e["keypoints"])]} for e in exact]
    assert keypoint_accuracy(split, far).figures["within 0.1 of the size"] == [0.0, 0.0, 0.0]
    assert keypoint_accuracy(split, far).figures["mean distance / size"] == pytest.approx([0.5, 0.5, 0.5])
    assert keypoint_accuracy(split, []).figures["within 0.1 of the size"] == [0.0, 0.0, 0.0]


def test_memory_and_parameters_of_a_detector_are_foretold(keys: Callable[[str], Keys]) -> None:
    found = api.estimate(api.check(keys("object_detection")))
    result = adapt_core.run(keys("object_detection"))
    assert (found.total_parameters, found.trainable_parameters) == (
        result.total_parameters,
        result.trainable_parameters,
    )
    assert found.memory is not None
    assert found.memory.activations
    assert found.memory.gradients == 4 * result.trainable_parameters
    recomputed = api.estimate(api.check({**keys("object_detection"), "GRADIENT_CHECKPOINTING": True})).memory
    assert recomputed is not None
    assert recomputed.activations
    assert recomputed.activations < found.memory.activations


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (390, "dark"), (1280, "light")])
def test_a_browser_shows_the_report_of_a_detector(
    browser: Any, open_page: Callable[..., None], trained: Path, width: int, scheme: str
) -> None:
    open_page(trained / "report.html", width, scheme)
    assert browser.get_log("browser") == []
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    sizes = browser.execute_script("return [...document.images].map(i => [i.naturalWidth, i.clientWidth])")
    assert len(sizes) == 18 + 20, "samples before and after, and ten images to look at"
    assert all(natural == 96 and 0 < shown <= width for natural, shown in sizes)


def test_each_figure_of_the_report_is_in_the_result(trained: Path) -> None:
    assert figures_without_place(trained) == []
