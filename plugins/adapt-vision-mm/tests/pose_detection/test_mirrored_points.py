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
from adapt_core.errors import DataError
from adapt_core.plugin.registry import Registry

from adapt_vision_mm.annotations.annotated_split import Category
from adapt_vision_mm.images.sides import mirrored
from adapt_vision_mm.pose_detection.data import PoseData
from adapt_vision_mm.pose_detection.metainfo import metainfo
from adapt_vision_mm.pose_detection.mirrored_points import may_mirror, swapped_points

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
        ("lft_eye", "rgt_eye"),
        ("ear.lft", "ear.rgt"),
        ("lEYE", "rEYE"),
        ("handL2", "handR2"),
    ],
)
def test_a_pair_is_recognised_by_its_names(left: str, right: str) -> None:
    names = ["nose", left, right, "tail"]
    assert [mirrored(name, names) for name in names] == ["", right, left, ""]
    category = Category(id=1, name="animal", keypoints=tuple(names))
    assert swapped_points(category) == {left: right, right: left}
    assert may_mirror(category)


@pytest.mark.parametrize(
    "names",
    [
        ["nose", "tail"],
        ["nose", "left ear"],
        ["L_eye", "R_eye", "Hip_L"],
        ["leg", "reg"],
        ["lip", "Rip"],
        ["left_eye", "Left_Eye", "right_eye"],  # of which is the right one the opposite?
    ],
)
def test_without_a_counterpart_for_each_side_nothing_is_mirrored(names: list[str]) -> None:
    assert not may_mirror(Category(id=1, name="animal", keypoints=tuple(names)))


@pytest.fixture
def plan(tmp_path: Path) -> MakePlan:
    """A plan of pose_detection on one image with the given keypoints, and what else the category and the box have."""

    def make(points: list[str], *, category: Any = None, box: Any = None, **keys: Any) -> Any:
        Image.new("RGB", (40, 30)).save(tmp_path / "a.png")
        seen = {"bbox": [1, 2, 20, 20], "keypoints": [5, 5, 2] * len(points)}
        data = {
            "images": [{"id": 1, "file_name": "a.png"}],
            "categories": [{"id": 1, "name": "animal", "keypoints": points, **(category or {})}],
            "annotations": [{"id": 17, "image_id": 1, "category_id": 1, **seen, **(box or {})}],
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
    [
        (["nose", "tail"], "no name says left or right"),
        (["nose", "L_eye"], "no counterpart for: L_eye"),
        (["l_eye", "L_Eye", "r_eye"], "several counterparts for: r_eye"),
    ],
)
def test_that_nothing_is_mirrored_is_said(
    plan: MakePlan, caplog: pytest.LogCaptureFixture, points: list[str], said: str
) -> None:
    PoseData(plan(points)).read_splits()
    assert "training images are not mirrored" in caplog.text
    assert said in caplog.text
    caplog.clear()
    PoseData(plan(points, augment=False)).read_splits()
    assert "images are not mirrored" not in caplog.text


@pytest.mark.parametrize(("points", "mirrors"), [(["L_eye", "R_eye"], True), (["nose", "tail"], False)])
def test_the_pipeline_of_a_model_mirrors_only_where_pairs_are_known(
    plan: MakePlan, points: list[str], mirrors: bool
) -> None:
    pytest.importorskip("mmpose", reason="needs mmpose")
    from adapt_vision_mm.pose_detection.task import PoseDetection

    pipeline = PoseDetection(plan(points)).models.adapted.config.train_pipeline
    assert ("RandomFlip" in [step["type"] for step in pipeline]) is mirrors
    assert "YOLOXHSVRandomAug" in " ".join(step["type"] for step in pipeline)


@pytest.mark.parametrize("pairs", [[["fore", "hind"], ["L_eye", "R_eye"]], [[1, 2], [3, 4]], [[0, 1], [2, 3], [1, 0]]])
def test_pairs_of_the_file_decide_where_names_say_nothing(
    plan: MakePlan, caplog: pytest.LogCaptureFixture, pairs: list[Any]
) -> None:
    with caplog.at_level(logging.INFO):
        splits = PoseData(plan(["fore", "hind", "L_eye", "R_eye"], category={"flip_pairs": pairs})).read_splits()
    assert "these keypoints change places: fore / hind, L_eye / R_eye" in caplog.text
    swaps = [point["swap"] for point in metainfo(splits["train"])["keypoint_info"].values()]
    assert swaps == ["hind", "fore", "R_eye", "L_eye"]


SIDES = ["nose", "L_eye", "R_eye", "L_ear", "R_ear", "tail"]
PLAIN = ["nose", "a", "b", "c", "d", "tail"]


@pytest.mark.parametrize(
    ("points", "pairs", "skeleton", "expected"),
    [
        (SIDES, [[1, 2], [3, 4]], [], [(1, 2), (3, 4)]),  # as mmpose lists them, and keypoint 0 has no opposite
        (SIDES, [[2, 3], [4, 5]], [], [(1, 2), (3, 4)]),
        (SIDES, [[1, 2], [3, 4]], [[1, 2], [5, 6]], [(1, 2), (3, 4)]),  # beside COCO's skeleton, counted from 1
        (SIDES, [[2, 3], ["L_ear", "R_ear"]], [], [(1, 2), (3, 4)]),
        (["nose", "fore", "L_eye", "hind", "R_eye", "tail"], [[1, 3], [2, 4]], [], [(1, 3), (2, 4)]),
        (PLAIN, [[1, 2], [3, 4]], [[0, 1]], [(1, 2), (3, 4)]),
        (PLAIN, [[2, 3], [4, 5]], [[1, 6]], [(1, 2), (3, 4)]),
        (PLAIN, [[1, 2], [3, 6]], [], [(0, 1), (2, 5)]),
        (PLAIN, [["a", "b"], [3, 4]], [[0, 1]], [(1, 2), (3, 4)]),
    ],
)
def test_whether_pairs_count_from_0_or_1_is_told_by_names_or_else_by_the_skeleton(
    plan: MakePlan, points: list[str], pairs: Any, skeleton: Any, expected: Any
) -> None:
    given = {"flip_pairs": pairs, "skeleton": skeleton}
    [category] = PoseData(plan(points, category=given)).read_splits()["train"].categories
    assert list(category.flip_pairs) == expected


@pytest.mark.parametrize("skeleton", [[], [[1, 2]], [["nose", "tail"]]])
def test_pairs_that_may_count_from_0_or_1_are_asked_for_by_name(plan: MakePlan, skeleton: Any) -> None:
    given = {"flip_pairs": [[1, 2], [3, 4]], "skeleton": skeleton}
    with pytest.raises(DataError, match=r"flip_pairs may count its keypoints from 0 or from 1, .* Give names"):
        PoseData(plan(PLAIN, category=given)).read_splits()


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        ([["L_eye", "tail"]], "flip_pairs pairs 'L_eye' with 'tail', and by its name the opposite is 'R_eye'"),
        ([["nose", "tail"]], "flip_pairs leaves 'L_eye' out, and by its name the opposite is 'R_eye'"),
        ([["L_eye", "R_eye"], ["R_eye", "tail"]], "flip_pairs pairs 'R_eye' with itself or with several keypoints"),
        ([["nose", "nose"]], "flip_pairs pairs 'nose' with itself or with several keypoints"),
        ([["L_eye", "ear"]], "flip_pairs has pairs of keypoints, by number or by name; not 'ear'"),
        ({"L_eye": "R_eye"}, "flip_pairs is a list; not {'L_eye': 'R_eye'}"),
    ],
)
def test_pairs_that_contradict_themselves_or_the_names_are_refused(plan: MakePlan, pairs: Any, said: str) -> None:
    with pytest.raises(DataError) as caught:
        PoseData(plan(["nose", "L_eye", "R_eye", "tail"], category={"flip_pairs": pairs})).read_splits()
    assert "all.json: category 1: " in str(caught.value)
    assert said in str(caught.value)


@pytest.mark.parametrize(("point", "beyond"), [([-8, 5], "8"), ([41.5, 5], "1.5"), ([5, 700], "670")])
@pytest.mark.parametrize("seen", [1, 2])
def test_a_labelled_keypoint_beyond_its_image_is_refused(
    plan: MakePlan, point: list[float], beyond: str, seen: int
) -> None:
    with pytest.raises(DataError) as caught:
        PoseData(plan(["nose", "tail"], box={"keypoints": [5, 5, 2, *point, seen]})).read_splits()
    assert "all.json" in str(caught.value)
    assert f"annotation 17: keypoint 'tail' lies {beyond} pixels beyond the image (40 x 30)" in str(caught.value)


@pytest.mark.parametrize("point", [[40.9, -0.9, 2], [700, -700, 0]])
def test_rounding_and_what_is_not_labelled_are_no_defect(plan: MakePlan, point: list[float]) -> None:
    splits = PoseData(plan(["nose", "tail"], box={"keypoints": [5, 5, 2, *point]})).read_splits()
    assert splits["train"].count_by_category() == {1: 1}
