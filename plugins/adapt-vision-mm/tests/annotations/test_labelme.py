"""LabelMe's files: shapes, groups, embedded images, and names that are those of other images."""

from __future__ import annotations

import tracemalloc
from base64 import b64encode
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy
import pytest

pytest.importorskip("PIL")
pytest.importorskip("pycocotools")

from PIL import Image
from pycocotools import mask

from adapt_core.errors import DataError

from .conftest import Read
from .exports import CORNERS, HEIGHT, WIDTH, labelme_file, labelme_shape, save, write
from adapt_vision_mm.annotations.formats.labelme import LabelMe


def png(pixels: Any) -> str:
    content = BytesIO()
    Image.fromarray(numpy.asarray(pixels, dtype="uint8")).save(content, format="PNG")
    return b64encode(content.getvalue()).decode()


def put(tmp_path: Path, *shapes: Any, **keys: Any) -> Path:
    save(tmp_path / "a.jpg")
    return write(tmp_path / "a.json", labelme_file("a.jpg", shapes, **keys))


BOX = labelme_shape("dog", "rectangle", [(40, 24), (24, 8)])
"""Drawn from below right to above left."""


def test_shapes_are_boxes_and_masks(read: Read, tmp_path: Path) -> None:
    pixels = numpy.zeros((5, 8), dtype=bool)
    pixels[1:, 2:] = True
    put(
        tmp_path,
        labelme_shape("cat", "polygon", CORNERS),
        labelme_shape("cat", "circle", [(32, 16), (32, 24)]),
        labelme_shape("dog", "mask", [(4, 3), (11, 7)], mask=png(255 * pixels)),
        labelme_shape("dog", "polygon", [(0, 0), (8, 0), (8, 8)], group_id=1),
        labelme_shape("dog", "polygon", [(16, 0), (24, 0), (24, 8)], group_id=1),
    )
    found = read("instance_segmentation", DO_EVAL=False)["train"].images[0].annotations
    triangle, circle, painted, parts = found
    assert triangle["segmentation"] == [[side for corner in CORNERS for side in corner]]
    assert circle["bbox"] == pytest.approx([24, 8, 16, 16])
    whole = numpy.zeros((HEIGHT, WIDTH), dtype=bool)
    whole[3:8, 4:12] = pixels
    assert numpy.array_equal(mask.decode(painted["segmentation"]), whole)
    assert len(parts["segmentation"]) == 2
    assert (parts["bbox"], parts["area"]) == ([0.0, 0.0, 24.0, 8.0], 64.0)
    put(tmp_path, BOX)
    assert read(DO_EVAL=False)["train"].images[0].annotations[0]["bbox"] == [24.0, 8.0, 16.0, 16.0]


def test_rectangles_of_a_group_are_objects_of_their_own(read: Read, tmp_path: Path) -> None:
    corners = ([(0, 8), (8, 16)], [(48, 8), (56, 16)])
    put(tmp_path, *(labelme_shape("dog", "rectangle", each, group_id=1) for each in corners))
    found = read(DO_EVAL=False)["train"].images[0].annotations
    assert [one["bbox"] for one in found] == [[0.0, 8.0, 8.0, 8.0], [48.0, 8.0, 8.0, 8.0]]


@pytest.mark.parametrize("version", ["4.5.6", "5.5.0", "6.0.0"])
def test_files_of_each_version_are_read(read: Read, tmp_path: Path, version: str) -> None:
    shape = {key: BOX[key] for key in ("label", "points", "group_id", "shape_type", "flags")}
    put(tmp_path, shape if version < "5" else BOX, version=version)
    assert read(DO_EVAL=False)["train"].names == ("dog",)


def test_points_of_a_group_are_a_pose(read: Read, tmp_path: Path) -> None:
    shapes = [
        labelme_shape("mouse", "rectangle", [(24, 8), (40, 24)], group_id=1),
        labelme_shape("nose", "point", [(26, 10)], group_id=1),
        labelme_shape("tail", "point", [(38, 20)], group_id=1),
        labelme_shape("mouse", "rectangle", [(0, 4), (16, 12)], group_id=2),
        labelme_shape("nose", "point", [(2, 6)], group_id=2),
    ]
    for split in ("train", "val"):
        # Validation has no tail: the points are those of training.
        put(tmp_path / split, *(shapes if split == "train" else shapes[3:]))
    found = read("pose_detection", augment=False)
    assert [one["keypoints"] for one in found["train"].images[0].annotations] == [
        [26.0, 10.0, 2, 38.0, 20.0, 2],
        [2.0, 6.0, 2, 0.0, 0.0, 0],
    ]
    assert found["val"].categories[0].keypoints == ("nose", "tail")
    assert found["val"].images[0].annotations[0]["keypoints"] == [2.0, 6.0, 2, 0.0, 0.0, 0]
    assert len(read(DO_EVAL=False)["train"].images[0].annotations) == 2
    put(tmp_path / "val", *shapes[3:], labelme_shape("ear", "point", [(3, 7)], group_id=2))
    with pytest.raises(DataError, match=r"val/a\.json: shape 1: the point 'ear' is none of the training split"):
        read("pose_detection", augment=False)


def test_points_alone_are_a_body_with_the_box_of_its_points(read: Read, tmp_path: Path) -> None:
    put(tmp_path, labelme_shape("nose", "point", [(10, 8)]), labelme_shape("tail", "point", [(20, 24)]))
    split = read("pose_detection", augment=False, DO_EVAL=False)["train"]
    assert split.names == ("object",)
    assert split.images[0].annotations[0]["bbox"] == [10.0, 8.0, 10.0, 16.0]
    with pytest.raises(
        DataError, match="no image has an object that can be used, but 1 bodies or points, as pose_detection needs them"
    ):
        read(DO_EVAL=False)
    put(tmp_path, labelme_shape("nose", "point", [(10, 8)]), labelme_shape("nose", "point", [(20, 24)]))
    with pytest.raises(DataError, match="the point 'nose' stands twice in one body"):
        read("pose_detection", augment=False)


def test_shapes_that_are_no_objects_are_left_out(read: Read, tmp_path: Path) -> None:
    """As LabelMe's own converters leave them out; numbers of the others stay."""
    others = [labelme_shape(name, "polygon", CORNERS) for name in ("__ignore__", "_background_")]
    file = put(tmp_path, *others, BOX, labelme_shape("nose", "point", [(1, 1)], group_id=5))
    found = read(DO_EVAL=False)["train"]
    assert found.names == ("dog",)
    assert len(found.images[0].annotations) == 1
    put(tmp_path, *others, labelme_shape("", "polygon", CORNERS))
    with pytest.raises(DataError, match=rf"{file}: shape 3: label is ''"):
        read()


def test_groups_may_be_written_with_a_fraction_of_zero(read: Read, tmp_path: Path) -> None:
    parts = [labelme_shape("dog", "polygon", CORNERS, group_id=number) for number in (1.0, 1, 2.0)]
    put(tmp_path, *parts)
    assert len(read(DO_EVAL=False)["train"].images[0].annotations) == 2
    put(tmp_path, labelme_shape("dog", "polygon", CORNERS, group_id=1.5))
    with pytest.raises(DataError, match=r"group_id is 1\.5, not a whole number"):
        read()


def test_images_in_the_files_are_not_kept_in_memory(tmp_path: Path) -> None:
    data = png(numpy.random.default_rng(0).integers(0, 255, (256, 256, 3)))
    files = [write(tmp_path / f"{n}.json", labelme_file(f"{n}.jpg", [BOX], imageData=data)) for n in range(8)]
    tracemalloc.start()
    try:
        export = LabelMe().read_export(files)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(export.entries) == 8
    assert kept < len(data)


def test_an_embedded_image_is_read_where_no_file_is(
    read: Read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    data = tmp_path / "data"
    pixels = numpy.full((HEIGHT, WIDTH, 3), 77)
    put(data, BOX, imageData=png(pixels))
    assert read(CUSTOM_DATASET_PATH=str(data), DO_EVAL=False)["train"].images[0].path == data / "a.jpg"
    (data / "a.jpg").unlink()
    (image,) = read(CUSTOM_DATASET_PATH=str(data), DO_EVAL=False)["train"].images
    assert image.path.is_relative_to(tmp_path / "cache")
    assert image.path.name == "a.jpg"
    assert numpy.array_equal(numpy.asarray(Image.open(image.path)), pixels)
    assert read(CUSTOM_DATASET_PATH=str(data), DO_EVAL=False)["train"].images == (image,)
    put(data, BOX, imageData="no image")
    (data / "a.jpg").unlink()
    with pytest.raises(DataError, match=r"a\.json: image is missing"):
        read(CUSTOM_DATASET_PATH=str(data), DO_EVAL=False)


def test_the_image_of_its_own_name_counts(read: Read, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """As where files were copied, and imagePath was left."""
    for name in ("a", "b"):
        save(tmp_path / f"{name}.jpg")
        write(tmp_path / f"{name}.json", labelme_file("a.jpg", [BOX]))
    assert [one.path.name for one in read(DO_EVAL=False)["train"].images] == ["a.jpg", "b.jpg"]
    assert "1 files of LabelMe have an imagePath of another image" in caplog.text


@pytest.mark.parametrize(
    "names", [("train1", "train2", "bus1", "bus2"), ("test1", "test2", "img1"), ("img_val", "a", "b"), ("val", "train")]
)
def test_the_names_of_images_say_nothing_of_splits(read: Read, tmp_path: Path, names: tuple[str, ...]) -> None:
    for name in names:
        save(tmp_path / f"{name}.jpg")
        write(tmp_path / f"{name}.json", labelme_file(f"{name}.jpg", [BOX]))
    assert {one.path.stem for one in read(DO_EVAL=False)["train"].images} == set(names)
    found = read(DATA_SPLIT=0.3)
    assert list(found) == ["train", "val"]
    assert sorted(one.path.stem for split in found.values() for one in split.images) == sorted(names)
    save(tmp_path / "val" / "c.jpg")
    write(tmp_path / "val" / "c.json", labelme_file("c.jpg", [BOX]))
    if "val" not in names:
        apart = read()
        assert {one.path.stem for one in apart["train"].images} == set(names)
        assert [one.path.stem for one in apart["val"].images] == ["c"]


def test_annotations_beside_a_folder_of_images_lead_to_it(read: Read, tmp_path: Path) -> None:
    save(tmp_path / "images" / "a.jpg")
    write(tmp_path / "labels" / "a.json", labelme_file("..\\images\\a.jpg", [BOX]))
    assert read(DO_EVAL=False)["train"].images[0].path == tmp_path / "images" / "a.jpg"


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        (labelme_shape("cat", "line", [(1, 1), (2, 2)]), "a line covers nothing: draw a box or a polygon"),
        (labelme_shape("cat", "rectangle", [(1, 1)]), "a rectangle has 2 points; it has 1"),
        (labelme_shape("", "rectangle", [(1, 1), (2, 2)]), "label is '', not the name of a class"),
        (labelme_shape("cat", "cube", [(1, 1), (2, 2)]), "shape_type is 'cube'; read are polygon, rectangle, circle"),
        (labelme_shape("cat", "mask", [(1, 1), (2, 2)]), "its mask is no embedded PNG"),
        (labelme_shape("cat", "rectangle", [(1, 1), (2, 2)], group_id=[1]), r"group_id is .1., not a whole number"),
        ({**BOX, "points": "1,2"}, "points is '1,2', not a list of points"),
        ({**BOX, "points": [[1, "x"], [2, 2]]}, "points: y is 'x', not a number"),
        ({**BOX, "points": [[1, float("inf")], [2, 2]]}, "points: y is inf, not a finite number"),
        (labelme_shape("cat", "polygon", [(1, 1), (70, 2), (1, 9)]), "its polygon extends 6 pixels beyond the image"),
        ("cat", "a shape is a mapping with label and points"),
    ],
)
def test_a_bad_shape_is_told_by_file_and_number(read: Read, tmp_path: Path, shape: Any, reason: str) -> None:
    file = put(tmp_path, BOX, shape)
    with pytest.raises(DataError, match=rf"1 row cannot be used\.\n{file}: shape 2: {reason}"):
        read()
    assert sum(read(SKIP_BAD_ROWS=True, DO_EVAL=False)["train"].dropped.values()) == 1


def test_a_broken_file_is_a_bad_row(read: Read, tmp_path: Path) -> None:
    put(tmp_path, BOX)
    save(tmp_path / "b.jpg")
    file = write(tmp_path / "b.json", '{"version": "5.5.0", "shapes": [{"label": "cat"')
    with pytest.raises(DataError, match=rf"{file}: cannot be read as JSON: .*line 1"):
        read()
    assert len(read(SKIP_BAD_ROWS=True, DO_EVAL=False)["train"].images) == 1
