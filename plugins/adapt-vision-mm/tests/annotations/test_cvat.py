"""CVAT's XML: shapes, labels, subsets of a project, and what XML could do beside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy
import pytest

pytest.importorskip("PIL")
pytest.importorskip("pycocotools")

from pycocotools import mask

from adapt_core.contracts import Place
from adapt_core.errors import DataError

from .conftest import Read
from .exports import CORNERS, HEIGHT, WIDTH, cvat_box, cvat_image, cvat_text, save, write
from adapt_vision_mm.annotations.formats.contract import ReadOptions
from adapt_vision_mm.annotations.formats.cvat import Cvat
from adapt_vision_mm.annotations.sources import SplitSource

BOX = cvat_box("cat", (24, 8, 16, 16))


def shape(tag: str, label: str = "cat", **keys: Any) -> str:
    given = "".join(f' {key}="{value}"' for key, value in keys.items())
    return f'<{tag} label="{label}" source="manual" occluded="0" z_order="1"{given}>\n    </{tag}>'


def put(tmp_path: Path, *objects: str, labels: Any = ("dog", "cat", "cow")) -> Path:
    save(tmp_path / "images" / "a.jpg")
    return write(tmp_path / "annotations.xml", cvat_text([cvat_image(0, "a.jpg", objects)], labels))


def points(corners: Any) -> str:
    return ";".join(f"{x:.2f},{y:.2f}" for x, y in corners)


def runs(pixels: Any) -> str:
    flat = numpy.asarray(pixels, dtype=int).ravel()
    ends = [*(numpy.flatnonzero(numpy.diff(flat)) + 1).tolist(), flat.size]
    lengths = [end - start for start, end in zip([0, *ends], ends, strict=False)]
    return ", ".join(map(str, [0, *lengths] if flat[0] else lengths))


@pytest.mark.parametrize("begins", [False, True])
def test_shapes_are_boxes_and_masks(read: Read, tmp_path: Path, begins: bool) -> None:
    pixels = numpy.zeros((5, 8), dtype=bool)
    pixels[1:4, 2:7] = True
    pixels[0, 0] = begins
    put(
        tmp_path,
        shape("polygon", points=points(CORNERS)),
        shape("ellipse", cx=32, cy=16, rx=8, ry=4, rotation=90),
        shape("mask", "dog", rle=runs(pixels), left=4, top=3, width=8, height=5),
        shape("polygon", "dog", points=points([(0, 0), (8, 0), (8, 8)]), group_id=4),
        shape("polygon", "dog", points=points([(16, 0), (24, 0), (24, 8)]), group_id=4),
        '<tag label="cat" source="manual">\n    </tag>',
    )
    split = read("instance_segmentation", DO_EVAL=False)["train"]
    assert split.names == ("dog", "cat", "cow")
    triangle, ellipse, painted, parts = split.images[0].annotations[:4]
    by_area = {one["area"]: one for one in (triangle, ellipse, painted, parts)}
    assert by_area[256.0]["segmentation"] == [[side for corner in CORNERS for side in corner]]
    assert by_area[64.0]["bbox"] == [0.0, 0.0, 24.0, 8.0]
    whole = numpy.zeros((HEIGHT, WIDTH), dtype=bool)
    whole[3:8, 4:12] = pixels
    assert numpy.array_equal(mask.decode(by_area[15.0 + begins]["segmentation"]), whole)
    assert [28, 8, 8, 16] in [pytest.approx(one["bbox"]) for one in split.images[0].annotations]
    assert len(read(DO_EVAL=False)["train"].images[0].annotations) == 4


def test_boxes_of_a_group_are_objects_of_their_own(read: Read, tmp_path: Path) -> None:
    put(tmp_path, cvat_box("cat", (0, 8, 8, 8), group_id="3"), cvat_box("cat", (48, 8, 8, 8), group_id="3"))
    found = read(DO_EVAL=False)["train"].images[0].annotations
    assert [one["bbox"] for one in found] == [[0.0, 8.0, 8.0, 8.0], [48.0, 8.0, 8.0, 8.0]]


def test_a_turned_box_turns_about_its_middle(read: Read, tmp_path: Path) -> None:
    put(tmp_path, cvat_box("cat", (24, 8, 16, 8), rotation="90.00"))
    assert read(DO_EVAL=False)["train"].images[0].annotations[0]["bbox"] == pytest.approx([28, 4, 8, 16])


def skeleton(**seen: str) -> str:
    inner = "".join(
        f'      <points label="{name}" source="manual" outside="{int(flag == "outside")}" '
        f'occluded="{int(flag == "occluded")}" points="{x}.00,{y}.00">\n      </points>\n'
        for (name, flag), (x, y) in zip(seen.items(), [(10, 8), (20, 24), (30, 12)], strict=False)
    )
    return f'<skeleton label="mouse" source="manual" z_order="0">\n{inner}    </skeleton>'


def test_skeletons_are_poses(read: Read, tmp_path: Path) -> None:
    put(tmp_path, skeleton(nose="", ear="occluded", tail="outside"), labels=("mouse",))
    split = read("pose_detection", augment=False, DO_EVAL=False)["train"]
    assert split.names == ("mouse",)
    assert split.categories[0].keypoints == ("ear", "nose", "tail")
    (found,) = split.images[0].annotations
    assert found["keypoints"] == [20.0, 24.0, 1, 10.0, 8.0, 2, 0.0, 0.0, 0]
    assert found["bbox"] == [10.0, 8.0, 10.0, 16.0]
    with pytest.raises(
        DataError, match="no image has an object that can be used, but 1 bodies or points, as pose_detection needs them"
    ):
        read(DO_EVAL=False)


def test_points_beside_boxes_are_left_out(read: Read, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    put(tmp_path, BOX, skeleton(nose="", tail=""), shape("points", points="1,1;2,2"), shape("points", points="1"))
    found = read(DO_EVAL=False)["train"]
    assert [one["bbox"] for one in found.images[0].annotations] == [[24.0, 8.0, 16.0, 16.0]]
    assert found.dropped == {}
    assert "3 bodies or points without a box or an outline are left out" in caplog.text


def test_box_and_skeleton_of_a_group_are_one_body(read: Read, tmp_path: Path) -> None:
    grouped = skeleton(nose="", ear="outside").replace("<skeleton ", '<skeleton group_id="2" ')
    box = cvat_box("mouse", (8, 4, 24, 24), group_id="2")
    put(tmp_path, grouped, box, skeleton(nose=""), skeleton(ear="", nose=""), labels=("mouse",))
    found = read("pose_detection", augment=False, SKIP_BAD_ROWS=True, DO_EVAL=False)["train"].images[0].annotations
    by_box = {tuple(one["bbox"]): one["keypoints"] for one in found}
    assert by_box[8.0, 4.0, 24.0, 24.0] == [0.0, 0.0, 0, 10.0, 8.0, 2]
    assert by_box[10.0, 8.0, 10.0, 16.0] == [10.0, 8.0, 2, 20.0, 24.0, 2]
    assert len(found) == 2


def test_subsets_of_a_project_are_splits(read: Read, tmp_path: Path) -> None:
    images = []
    for number, (subset, name) in enumerate([("Train", "a.jpg"), ("Validation", "a.jpg"), ("Train", "c.jpg")]):
        save(tmp_path / "images" / subset / name)
        images.append(cvat_image(number, name, [BOX], subset=subset, task_id="7"))
    write(tmp_path / "annotations.xml", cvat_text(images))
    for keys in ({}, {"train_ann_file": "annotations.xml"}):
        found = read(**keys)
        places = {split: [str(i.path.relative_to(tmp_path)) for i in one.images] for split, one in found.items()}
        assert places == {"train": ["images/Train/a.jpg", "images/Train/c.jpg"], "val": ["images/Validation/a.jpg"]}


def subsets(tmp_path: Path, file: str, **named: str) -> Path:
    """Write an export whose images are of subsets: image -> subset."""
    for name in named:
        save(tmp_path / "images" / f"{name}.jpg")
    images = [cvat_image(n, f"{name}.jpg", [BOX], subset=subset) for n, (name, subset) in enumerate(named.items())]
    return write(tmp_path / file, cvat_text(images))


def stems(found: Any) -> dict[str, list[str]]:
    return {split: [image.path.stem for image in one.images] for split, one in found.items()}


def test_images_of_another_subset_are_never_training(
    read: Read, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    subsets(tmp_path, "annotations.xml", a="default", b="Validation", c="default")
    assert stems(read()) == {"train": ["a", "c"], "val": ["b"]}
    assert "2 images belong to no subset of a known name ('default'): they are read as the train split" in caplog.text
    caplog.clear()
    subsets(tmp_path, "annotations.xml", a="Train", b="default", c="Validation", d="Train2", e="rest")
    assert stems(read()) == {"train": ["a", "b", "d", "e"], "val": ["c"]}
    assert "2 images belong to no subset of a known name ('default', 'rest')" in caplog.text
    caplog.clear()
    subsets(tmp_path, "annotations.xml", a="one", b="two")
    assert stems(read(DO_EVAL=False)) == {"train": ["a", "b"]}
    assert "subset" not in caplog.text


def test_an_export_is_not_read_again_to_ask_for_its_splits(tmp_path: Path) -> None:
    file = subsets(tmp_path, "annotations.xml", a="Train", b="Validation")
    place, reader = Place(split="train", root=tmp_path), Cvat()
    reader.read_split(SplitSource.of(place), ReadOptions(skip=False))
    file.write_text(file.read_text()[:-20])
    assert reader.names_split(place, "val")
    assert not reader.names_split(place, "test")
    with pytest.raises(DataError, match="not well-formed XML"):
        Cvat().names_split(place, "val")


def test_the_own_file_of_a_split_has_its_images_without_a_subset(
    read: Read, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    subsets(tmp_path, "train.xml", a="Train")
    subsets(tmp_path, "val.xml", b="default", c="Train")
    assert stems(read()) == {"train": ["a"], "val": ["b"]}
    subsets(tmp_path, "val.xml", b="default", c="Validation")
    assert stems(read()) == {"train": ["a"], "val": ["c"]}
    assert "1 images belong to no subset of a known name ('default'): they are left out of the val split" in caplog.text
    file = subsets(tmp_path, "val.xml", b="Train", c="Test")
    with pytest.raises(
        DataError, match=rf"{file}: its images belong to other subsets \('Test', 'Train'\) than the val"
    ):
        read()


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (cvat_box("cat", (60, 8, 16, 16)), r"its rectangle extends 12 pixels beyond the image \(64 x 32\)"),
        (shape("polygon", points="1,1;70,2;1,9"), "its polygon extends 6 pixels beyond"),
        (shape("polygon", points="1,1;2"), "points has '2', which is no point x,y"),
        (shape("polygon", points="1,a;2,2;3,3"), "points: y is 'a', not a number"),
        (shape("polygon", points="1,nan;2,2;3,3"), "points: y is nan, not a finite number"),
        (shape("polyline", points="1,1;2,2"), "a line covers nothing"),
        (shape("cuboid", xtl1="1"), "a cuboid is not read"),
        (shape("box", xtl="1"), "it has no ytl"),
        (shape("mask", rle="3, 4", left=0, top=0, width=2, height=2), "its rle does not fill its box of 2 x 2"),
        (shape("mask", rle="4", left=0, top=0, width=2, height=2), "its mask has no pixel"),
        (shape("mask", rle="0, 4", left=70, top=0, width=2, height=2), "its mask extends beyond the image"),
        (cvat_box(" ", (24, 8, 16, 16)), "it has no class"),
    ],
)
def test_a_bad_object_is_told_by_its_line(read: Read, tmp_path: Path, given: str, reason: str) -> None:
    file = put(tmp_path, BOX, given)
    line = file.read_text().splitlines().index(f"    {given.splitlines()[0]}") + 1
    with pytest.raises(DataError, match=rf"1 row cannot be used\.\n{file}:{line}: {reason}"):
        read()
    assert sum(read(SKIP_BAD_ROWS=True, DO_EVAL=False)["train"].dropped.values()) == 1


@pytest.mark.parametrize(
    "head",
    [
        '<!DOCTYPE a [<!ENTITY name "cat">]>',
        '<!DOCTYPE a [<!ENTITY name SYSTEM "file:///etc/hostname">]>',
        '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY name "&a;&a;&a;&a;&a;&a;&a;&a;">]>',
        '<!DOCTYPE a SYSTEM "file:///etc/hostname">',
    ],
)
def test_no_entity_is_expanded(read: Read, tmp_path: Path, head: str) -> None:
    file = put(tmp_path, cvat_box("cat", (24, 8, 16, 16)).replace(">3<", ">&name;<"))
    declaration, rest = file.read_text().split("\n", 1)
    write(file, f"{declaration}\n{head}\n{rest}")
    with pytest.raises(DataError, match=rf"{file}:\d+: the XML entity '.+' is not expanded"):
        read()


def test_tracks_of_a_video_are_told(read: Read, tmp_path: Path) -> None:
    text = cvat_text(['  <track id="0" label="cat">\n  </track>\n'])
    file = write(tmp_path / "annotations.xml", text)
    with pytest.raises(
        DataError, match=rf"{file}:\d+: it is an export for video, with tracks. Export 'CVAT for images"
    ):
        read()
