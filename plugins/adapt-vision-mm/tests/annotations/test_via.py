"""VIA's exports: shapes, the attribute that names the class, and both versions."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("PIL")
pytest.importorskip("pycocotools")

from adapt_core.errors import DataError, InputError

from .conftest import Read
from .exports import CORNERS, save, via_csv, via_region, write

RECT = {"name": "rect", "x": 24, "y": 8, "width": 16, "height": 16}


def put(tmp_path: Path, *regions: Any, listed: bool = True) -> Path:
    save(tmp_path / "a.jpg")
    kept = list(regions) if listed else {str(number): region for number, region in enumerate(regions)}
    return write(
        tmp_path / "via.json",
        {"a.jpg823": {"filename": "a.jpg", "size": 823, "regions": kept, "file_attributes": {}}},
    )


@pytest.mark.parametrize("listed", [True, False], ids=["version 2", "version 1"])
def test_shapes_are_boxes_and_masks(read: Read, tmp_path: Path, listed: bool) -> None:
    xs, ys = [list(sides) for sides in zip(*CORNERS, strict=True)]
    put(
        tmp_path,
        via_region("cat", name="polygon", all_points_x=xs, all_points_y=ys),
        via_region("dog", name="circle", cx=32, cy=16, r=8),
        via_region("dog", name="ellipse", cx=32, cy=16, rx=8, ry=4, theta=math.pi / 2),
        listed=listed,
    )
    triangle, circle, ellipse = read("instance_segmentation", DO_EVAL=False)["train"].images[0].annotations
    assert triangle["segmentation"] == [[side for corner in CORNERS for side in map(float, corner)]]
    assert circle["bbox"] == [24, 8, 16, 16]
    assert ellipse["bbox"] == pytest.approx([28, 8, 8, 16])
    assert read(DO_EVAL=False)["train"].images[0].annotations[0]["bbox"] == [16, 8, 32, 16]


@pytest.mark.parametrize(
    ("attributes", "names"),
    [
        ([{"animal": "cat"}, {"animal": "dog"}], ("cat", "dog")),
        ([{"colour": "red", "Class": "cat"}, {"Class": "dog", "colour": ""}], ("cat", "dog")),
        ([{"kind": {"cat": True}}, {"kind": {"dog": True, "cat": False}}], ("cat", "dog")),
        ([{"class": 1}, {"class": 2.0}], ("1", "2")),
        ([{}, {}], ("object",)),
    ],
)
def test_an_attribute_names_the_class(
    read: Read, tmp_path: Path, attributes: Any, names: Any, caplog: pytest.LogCaptureFixture
) -> None:
    put(tmp_path, *({"shape_attributes": RECT, "region_attributes": one} for one in attributes))
    assert read(DO_EVAL=False)["train"].names == names
    assert ("its regions have no attributes" in caplog.text) is (names == ("object",))


@pytest.mark.parametrize(
    ("types", "names"),
    [
        ({"name": "text", "species": "dropdown"}, ("cat", "dog")),
        ({"name": "text", "species": "radio"}, ("cat", "dog")),
        ({"name": "dropdown", "species": "text"}, ("Rex", "Tom")),
        ({"name": "radio", "species": "dropdown"}, None),
        ({"name": "text", "species": "text"}, None),
        (None, None),
    ],
)
def test_a_choice_of_the_project_names_the_class(read: Read, tmp_path: Path, types: Any, names: Any) -> None:
    given = [{"name": "Tom", "species": "cat"}, {"name": "Rex", "species": "dog"}]
    boxes = [RECT, {**RECT, "x": 4}]
    regions = [{"shape_attributes": box, "region_attributes": one} for box, one in zip(boxes, given, strict=True)]
    file = put(tmp_path, *regions)
    if types is not None:
        defined = {name: {"type": kind, "options": {}} for name, kind in types.items()}
        project = {"_via_img_metadata": json.loads(file.read_text()), "_via_attributes": {"region": defined}}
        write(file, {"_via_settings": {}, **project})
    if names is None:
        with pytest.raises(
            DataError, match=r"have the attributes 'name', 'species'; which is the class\? Name it 'cla"
        ):
            read()
    else:
        assert read(DO_EVAL=False)["train"].names == names


def test_points_beside_boxes_are_left_out(read: Read, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    put(tmp_path, via_region("dog", **RECT), via_region("nose", name="point", cx=1, cy=2))
    assert read(DO_EVAL=False)["train"].names == ("dog",)
    assert "1 bodies or points without a box or an outline are left out" in caplog.text


def test_files_of_one_name_in_a_csv_are_told(read: Read, tmp_path: Path) -> None:
    """As of two folders: they differ by their sizes, as the keys in JSON do."""
    save(tmp_path / "a.jpg")
    file = via_csv(tmp_path / "via.csv", {"a.jpg": [("cat", (24, 8, 16, 16)), ("cat", (0, 4, 16, 8))]})
    assert len(read(DO_EVAL=False)["train"].images[0].annotations) == 2
    write(file, file.read_text().replace("a.jpg,823", "a.jpg,911", 1))
    with pytest.raises(DataError, match=r"a\.jpg: its image is also that of another entry"):
        read()


def test_attributes_of_which_none_has_a_usual_name_are_told(read: Read, tmp_path: Path) -> None:
    file = put(tmp_path, {"shape_attributes": RECT, "region_attributes": {"colour": "red", "animal": "cat"}})
    with pytest.raises(DataError, match=rf"{file}: its regions have the attributes 'colour', 'animal'; which is the"):
        read()


@pytest.mark.parametrize(
    ("region", "reason"),
    [
        (via_region("cat", name="polyline", all_points_x=[1, 2], all_points_y=[1, 2]), "a line covers nothing"),
        (via_region("cat", **{**RECT, "x": "left"}), "x is 'left', not a number"),
        (via_region("cat", **{**RECT, "x": float("nan")}), "x is nan, not a finite number"),
        (via_region("cat", **{**RECT, "x": 60}), r"its rectangle extends 12 pixels beyond the image \(64 x 32\)"),
        (via_region("cat", name="polygon", all_points_x=[1], all_points_y=[1, 2]), "are not lists of one length"),
        (via_region("cat", name="circle", cx=1, cy=2), "it has no r"),
        (via_region("cat", name="star"), "its shape is 'star'; VIA's are rect, circle"),
        (via_region("", **RECT), "its attribute 'class' is '', not the name of a class"),
        ({"shape_attributes": RECT, "region_attributes": {}}, "its attribute 'class' is None"),
        (
            {"shape_attributes": RECT, "region_attributes": {"class": {"cat": True, "dog": True}}},
            "its attribute 'class' has several values: cat, dog",
        ),
        ({"shape_attributes": None, "region_attributes": {"class": "cat"}}, "it has no shape_attributes"),
    ],
)
def test_a_bad_region_is_told_by_file_and_number(read: Read, tmp_path: Path, region: Any, reason: str) -> None:
    file = put(tmp_path, via_region("dog", **RECT), region)
    with pytest.raises(DataError, match=rf"1 row cannot be used\.\n{file}: a\.jpg, region 2: .*{reason}"):
        read()


def test_poses_are_not_read_from_via(read: Read, tmp_path: Path) -> None:
    put(tmp_path, via_region("nose", name="point", cx=1, cy=2))
    with pytest.raises(InputError, match="was not found"):
        read("pose_detection")
