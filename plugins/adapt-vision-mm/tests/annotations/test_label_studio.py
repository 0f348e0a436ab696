"""Label Studio's exports: shapes, several annotations of a task, and what is no region."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("PIL")
pytest.importorskip("pycocotools")

import numpy
from pycocotools import mask

from adapt_core.errors import DataError

from .conftest import Read
from .exports import CORNERS, HEIGHT, WIDTH, percents, save, studio_region, studio_task, write


def corners() -> dict[str, Any]:
    return {"points": [[100 * x / WIDTH, 100 * y / HEIGHT] for x, y in CORNERS], "closed": True}


def brush(pixels: numpy.ndarray[Any, Any]) -> list[int]:
    """Encode a mask as Label Studio's brush: runs of one byte each value, in the bytes of RGBA."""
    alpha = numpy.repeat(numpy.where(pixels, 255, 0).astype("uint8").ravel(), 4)
    bits = f"{alpha.size:032b}{7:05b}" + "".join(f"{width:04b}" for width in (2, 3, 7, 15))
    ends = [*(numpy.flatnonzero(numpy.diff(alpha)) + 1).tolist(), alpha.size]
    start = 0
    for end in ends:
        bits += f"1{3:02b}{end - start - 1:016b}{int(alpha[start]):08b}"
        start = end
    bits += "0" * (-len(bits) % 8)
    return [int(bits[at : at + 8], 2) for at in range(0, len(bits), 8)]


def project(tmp_path: Path, *regions: Any, count: int = 1) -> Path:
    for number in range(1, count + 1):
        save(tmp_path / f"0a1b2c3d-{number}.jpg")
    return write(tmp_path / "project.json", [studio_task(n, f"{n}.jpg", regions) for n in range(1, count + 1)])


def test_polygons_ellipses_and_brushes_are_masks(read: Read, tmp_path: Path) -> None:
    pixels = numpy.zeros((HEIGHT, WIDTH), dtype=bool)
    pixels[4:10, 6:20] = True
    drawn = {"format": "rle", "rle": brush(pixels)}
    round_one = {"x": 50, "y": 50, "radiusX": 12.5, "radiusY": 25, "rotation": 0}
    project(
        tmp_path,
        studio_region("cat", corners(), "polygon"),
        studio_region("dog", round_one, "ellipse"),
        studio_region("cat", drawn, "brush"),
    )
    triangle, circle, painted = read("instance_segmentation", DO_EVAL=False)["train"].images[0].annotations
    assert triangle["segmentation"] == [[side for corner in CORNERS for side in corner]]
    assert (triangle["area"], triangle["bbox"]) == (256.0, [16.0, 8.0, 32.0, 16.0])
    assert circle["bbox"] == pytest.approx([24.0, 8.0, 16.0, 16.0])
    assert 195 < circle["area"] < 64 * numpy.pi
    assert numpy.array_equal(mask.decode(painted["segmentation"]), pixels)
    assert (painted["area"], painted["bbox"]) == (84.0, [6.0, 4.0, 14.0, 6.0])
    found = read(DO_EVAL=False)["train"].images[0].annotations
    assert [one["bbox"] for one in found] == [triangle["bbox"], circle["bbox"], painted["bbox"]]


def test_a_turned_rectangle_turns_about_its_corner(read: Read, tmp_path: Path) -> None:
    project(tmp_path, studio_region("cat", {**percents((32, 8, 16, 8)), "rotation": 90}))
    assert read(DO_EVAL=False)["train"].images[0].annotations[0]["bbox"] == pytest.approx([24, 8, 8, 16])


def test_keypoints_belong_to_the_rectangle_that_is_their_parent(read: Read, tmp_path: Path) -> None:
    first, second = (24, 8, 16, 16), (0, 4, 16, 8)
    regions = [studio_region("mouse", percents(box), id=name) for name, box in (("one", first), ("two", second))]
    points = [("nose", 25, 50, "one"), ("tail", 50, 50, "one"), ("nose", 12.5, 25, "two")]
    regions += [
        studio_region(name, {"x": x, "y": y, "width": 0.5}, "keypoint", parentID=parent, id=f"{parent}-{name}")
        for name, x, y, parent in points
    ]
    project(tmp_path, *regions)
    split = read("pose_detection", DO_EVAL=False, augment=False)["train"]
    assert split.categories[0].keypoints == ("nose", "tail")
    assert [one["keypoints"] for one in split.images[0].annotations] == [
        [16.0, 16.0, 2, 32.0, 16.0, 2],
        [8.0, 8.0, 2, 0.0, 0.0, 0],
    ]
    assert [one["bbox"] for one in read(DO_EVAL=False)["train"].images[0].annotations] == [
        list(map(float, first)),
        list(map(float, second)),
    ]
    del regions[2]["parentID"]
    project(tmp_path, *regions)
    with pytest.raises(DataError, match="region 3: the point 'nose' belongs to none of 2 objects"):
        read("pose_detection", augment=False)


def test_labels_of_a_tag_of_their_own_are_those_of_the_shape(read: Read, tmp_path: Path) -> None:
    """<Labels> and <Rectangle> make two regions of one id; choices and texts of a region make more."""
    box = percents((24, 8, 16, 16))
    shape = studio_region(None, box, id="r1", type="rectangle", from_name="shape")
    label = studio_region("cat", box, "", id="r1", type="labels")
    choice = {**shape, "type": "choices", "value": {**box, "choices": ["blurred"]}}
    relation = {"from_id": "r1", "to_id": "r2", "type": "relation", "direction": "right"}
    project(tmp_path, shape, label, choice, relation)
    split = read(DO_EVAL=False)["train"]
    assert split.names == ("cat",)
    assert [one["bbox"] for one in split.images[0].annotations] == [[24.0, 8.0, 16.0, 16.0]]


def annotation(label: str, **keys: Any) -> dict[str, Any]:
    return {"result": [studio_region(label, percents((24, 8, 16, 16)))], "was_cancelled": False, **keys}


@pytest.mark.parametrize(
    ("made", "label"),
    [
        ([annotation("old", updated_at="2026-01"), annotation("new", updated_at="2026-02")], "new"),
        ([annotation("true", updated_at="2025", ground_truth=True), annotation("new", updated_at="2026")], "true"),
        ([annotation("kept", updated_at="2025"), annotation("skipped", updated_at="2026", was_cancelled=True)], "kept"),
    ],
)
def test_one_annotation_of_a_task_counts(
    read: Read, tmp_path: Path, made: Sequence[Any], label: str, caplog: pytest.LogCaptureFixture
) -> None:
    save(tmp_path / "1.jpg")
    write(tmp_path / "p.json", [{**studio_task(1, "1.jpg", []), "annotations": made}])
    assert read(DO_EVAL=False)["train"].names == (label,)
    assert ("the ground truth or the newest is read" in caplog.text) is (label != "kept")


def test_tasks_without_an_annotation_are_left_out_and_empty_ones_kept(read: Read, tmp_path: Path) -> None:
    file = project(tmp_path, studio_region("cat", percents((24, 8, 16, 16))), count=3)
    tasks = json.loads(file.read_text())
    tasks[1]["annotations"] = []
    tasks[2]["annotations"][0]["result"] = []
    write(file, tasks)
    assert [one.path.name for one in read(DO_EVAL=False)["train"].images] == ["0a1b2c3d-1.jpg", "0a1b2c3d-3.jpg"]


@pytest.mark.parametrize(
    "written",
    [
        "/data/upload/3/0a1b2c3d-my%20cat.jpg",
        "/data/local-files/?d=pets/images/my%20cat.jpg",
        "s3://bucket/pets/my%20cat.jpg",
        "http://localhost:8080/data/upload/3/0a1b2c3d-my%20cat.jpg",
    ],
)
def test_images_are_found_wherever_label_studio_had_them(read: Read, tmp_path: Path, written: str) -> None:
    save(tmp_path / "images" / "my cat.jpg")
    task = studio_task(1, "x.jpg", [studio_region("cat", percents((24, 8, 16, 16)))])
    write(tmp_path / "p.json", [{**task, "file_upload": None, "data": {"text": "a cat", "picture": written}}])
    assert [one.path.name for one in read(DO_EVAL=False)["train"].images] == ["my cat.jpg"]


def test_points_beside_boxes_are_left_out(read: Read, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    nose = studio_region("nose", {"x": 1, "y": 1, "width": 0.5}, "keypoint")
    sides = [(24, 8, 16, 16), (0, 4, 16, 8)]
    project(tmp_path, *(studio_region("cat", percents(box)) for box in sides), nose)
    found = read(DO_EVAL=False)["train"]
    assert found.names == ("cat",)
    assert len(found.images[0].annotations) == 2
    assert "1 bodies or points without a box or an outline are left out" in caplog.text
    project(tmp_path, nose)
    with pytest.raises(
        DataError, match="no image has an object that can be used, but 1 bodies or points, as pose_detection needs them"
    ):
        read()


def test_a_task_of_several_images_is_told(read: Read, tmp_path: Path) -> None:
    for name in ("left.jpg", "right.jpg"):
        save(tmp_path / name)
    regions = [studio_region("cat", percents((24, 8, 16, 16)), to_name=name, id=name) for name in ("left", "right")]
    task = {**studio_task(1, "x.jpg", regions), "file_upload": None}
    for data in ({"left": "left.jpg", "right": "right.jpg"}, {"image": "left.jpg"}):
        write(tmp_path / "p.json", [{**task, "data": data}])
        with pytest.raises(DataError, match=r"p\.json: task 1: it has several images \(.*: make a task of each"):
            read()
    pair = {"left": "left.jpg", "right": "right.jpg"}
    write(tmp_path / "p.json", [{**studio_task(1, "x.jpg", regions[1:]), "file_upload": None, "data": pair}])
    assert [one.path.name for one in read(DO_EVAL=False)["train"].images] == ["right.jpg"]


def test_several_labels_of_a_region_are_told(read: Read, tmp_path: Path) -> None:
    box = percents((24, 8, 16, 16))
    both = {**studio_region(None, box), "value": {**box, "rectanglelabels": ["cat", "dog"]}}
    apart = [studio_region(None, box, id="r1"), *(studio_region(one, box, "", id="r1") for one in ("cat", "dog"))]
    for regions in ([both], apart):
        project(tmp_path, *regions)
        with pytest.raises(DataError, match=r"region 1: it has several labels \(cat, dog\): leave it one"):
            read()


@pytest.mark.parametrize(
    ("region", "reason"),
    [
        (studio_region("cat", {"x": "a", "y": 1, "width": 2, "height": 2}), "x is 'a', not a number"),
        (studio_region("cat", {"x": float("nan"), "y": 1, "width": 2, "height": 2}), "x is nan, not a finite number"),
        (studio_region(None, percents((1, 1, 8, 8))), "it has no label"),
        (studio_region("cat", {"points": [[1, 1], [2, 2]]}, "polygon"), "a polygon needs at least three points"),
        (
            studio_region("cat", {"points": [[1, 1], [150, 2], [1, 50]]}, "polygon"),
            r"its polygon extends 32 pixels beyond the image \(64 x 32\)",
        ),
        (
            {**studio_region("cat", percents((1, 1, 8, 8))), "image_rotation": 90},
            "its image was rotated in Label Studio",
        ),
        (
            studio_region("cat", {"rle": [0, 0, 0, 1, 255]}, "brush"),
            r"its brush mask \(rle\) has 1 values; an image of",
        ),
        (studio_region("cat", {"rle": [0, 0, 0]}, "brush"), r"its brush mask \(rle\) ends too early"),
        (studio_region("cat", {"rle": ["a"]}, "brush"), r"its brush mask \(rle\) is no list of bytes"),
    ],
)
def test_a_bad_region_is_told_by_task_and_number(read: Read, tmp_path: Path, region: Any, reason: str) -> None:
    file = project(tmp_path, studio_region("dog", percents((24, 8, 16, 16))), region)
    place = r"task 1 \(0a1b2c3d-1\.jpg\), region 2"
    with pytest.raises(DataError, match=rf"1 row cannot be used\.\n{file}: {place}: {reason}"):
        read()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"data": {"text": "no image"}}, "it names no image"),
        ({"annotations": {}}, "annotations is no list of annotations"),
        ({"annotations": [{"result": "none"}]}, "its result is no list of regions"),
    ],
)
def test_a_bad_task_is_told(read: Read, tmp_path: Path, change: Any, reason: str) -> None:
    file = project(tmp_path, studio_region("dog", percents((24, 8, 16, 16))), count=2)
    tasks = json.loads(file.read_text())
    write(file, [tasks[0], {**tasks[1], **change}])
    with pytest.raises(DataError, match=rf"{file}: task 2.*: {reason}"):
        read()
