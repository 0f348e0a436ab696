"""Fields that writers leave null, empty or in another type: read as the only thing they can mean, or named."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from adapt_core.errors import DataError

pytest.importorskip("pycocotools")

from adapt_vision_mm.annotations.annotated_split import AnnotatedSplit
from adapt_vision_mm.annotations.formats import coco, pascal_voc
from adapt_vision_mm.annotations.image_lists import read_image_list

Entry = dict[str, Any]
POINTS = ["nose", "left ear", "right ear"]


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    """Writes a COCO file with one 40 x 30 image, one class and two boxes, changed as asked for."""

    def write(image: Entry | None = None, category: Entry | None = None, annotation: Entry | None = None) -> Path:
        Image.new("RGB", (40, 30)).save(tmp_path / "a.png")
        box = {"image_id": 7, "category_id": 3, "bbox": [1, 2, 10, 12]}
        data = {
            "images": [{"id": 7, "file_name": "a.png", "width": 40, "height": 30, **(image or {})}],
            "categories": [{"id": 3, "name": "cup", **(category or {})}],
            "annotations": [{"id": 0, **box, **(annotation or {})}, {"id": 1, **box}],
        }
        (tmp_path / "train.json").write_text(json.dumps(data), encoding="utf-8")
        return tmp_path / "train.json"

    return write


def read(path: Path) -> AnnotatedSplit:
    return coco.read(path, path.parent, skip=False)


@pytest.mark.parametrize("value", [None, 0, False, 0.0])
def test_a_flag_of_coco_that_is_null_or_false_is_not_set(written: Callable[..., Path], value: object) -> None:
    found = read(written(annotation={"iscrowd": value, "ignore": value, "area": None}))
    first = found.images[0].annotations[0]
    assert (first["iscrowd"], first["area"], len(found.images[0].annotations)) == (0, 120.0, 2)


def test_what_coco_ignores_is_left_out_and_counted(
    written: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        found = read(written(annotation={"ignore": 1, "bbox": [1, 2, 20, 20]}))
    assert [a["bbox"] for a in found.images[0].annotations] == [[1, 2, 10, 12]]
    assert "1 annotations with ignore: 1 are left out" in caplog.text


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"annotation": {"area": "400 px"}}, "annotation 0: area is '400 px', not a number of square pixels"),
        ({"annotation": {"area": -4}}, "annotation 0: area is -4, not a number"),
        ({"annotation": {"iscrowd": "no"}}, "annotation 0: iscrowd is 'no'; it is 0 or 1"),
        ({"annotation": {"ignore": [1]}}, r"annotation 0: ignore is \[1\]; it is 0 or 1"),
        ({"image": {"width": "40"}}, r"image 7 \(a.png\): width is text \('40'\), not a number"),
        ({"image": {"height": [30]}}, r"image 7 \(a.png\): height is list \(\[30\]\), not a number"),
        ({"image": {"width": None, "height": 31}}, r"image is 40 x 30, annotated as \? x 31"),
        ({"category": {"name": " \n"}}, "a category needs an id"),
        ({"category": {"name": True}}, "a category needs an id"),
        ({"category": {"keypoints": "nose"}}, "category 3: keypoints is a list; not 'nose'"),
        ({"category": {"keypoints": ["nose", "nose "]}}, "category 3: keypoints has a name for each point, none twice"),
        ({"category": {"keypoints": POINTS, "skeleton": [["nose", "tail"]]}}, "category 3: skeleton .* not 'tail'"),
        ({"category": {"keypoints": POINTS, "skeleton": [[1, 4]]}}, "category 3: skeleton .* not 4"),
        ({"category": {"keypoints": POINTS, "skeleton": [1, 2]}}, r"category 3: skeleton .* not \[1, 2\]"),
        ({"category": {"keypoints": POINTS, "skeleton": [[-1, 2]]}}, "category 3: skeleton .* not -1"),
        ({"category": {"keypoints": POINTS, "skeleton": [[0, 3]]}}, "category 3: skeleton .* not 3"),
        ({"category": {"keypoints": ["nose", "  ", "ear"]}}, "category 3: keypoints has a name for each point"),
        ({"category": {"keypoints": POINTS, "sigmas": ["a"]}}, "category 3: sigmas are numbers above 0"),
        ({"category": {"keypoints": POINTS, "sigmas": [0.1, 0]}}, "category 3: sigmas are numbers above 0"),
        ({"category": {"keypoints": POINTS, "sigmas": [0.1] * 2}}, "category 3: it has 3 keypoints and 2 sigmas"),
    ],
)
def test_a_field_of_coco_that_means_nothing_is_named(
    written: Callable[..., Path], change: dict[str, Entry], said: str
) -> None:
    with pytest.raises(DataError, match=said) as raised:
        read(written(**change))
    assert "train.json" in str(raised.value)


@pytest.mark.parametrize("size", [{"width": None, "height": None}, {"width": 0, "height": 0}, {"width": 40.0}])
def test_a_size_that_coco_leaves_out_is_the_file_s(written: Callable[..., Path], size: Entry) -> None:
    image = read(written(image=size)).images[0]
    assert (image.width, image.height, image.as_stored) == (40, 30, False)
    assert type(image.width) is int


def test_a_file_with_a_byte_order_mark_is_read(written: Callable[..., Path]) -> None:
    path = written()
    path.write_text(path.read_text(encoding="utf-8"), encoding="utf-8-sig")
    assert read(path).categories[0].name == "cup"


def test_names_lose_the_white_space_around_them(written: Callable[..., Path]) -> None:
    category = {"name": "\n cup ", "keypoints": ["nose ", " ear"]}
    assert read(written(category=category)).categories[0].name == "cup"
    assert read(written(category=category)).categories[0].keypoints == ("nose", "ear")


def test_folders_in_a_name_may_be_those_of_windows(written: Callable[..., Path], tmp_path: Path) -> None:
    path = written(image={"file_name": "new\\a.png"})
    (tmp_path / "new").mkdir()
    (tmp_path / "a.png").rename(tmp_path / "new" / "a.png")
    assert read(path).images[0].path == tmp_path / "new" / "a.png"


def test_a_class_without_points_may_say_so_with_null(written: Callable[..., Path]) -> None:
    category = read(written(category={"keypoints": None, "skeleton": None, "sigmas": None})).categories[0]
    assert (category.keypoints, category.skeleton, category.sigmas) == ((), (), ())


@pytest.mark.parametrize(
    "skeleton", [[[1, 2], [2, 3]], [[0, 1], [1, 2]], [["nose", "left ear"], ["left ear", "right ear"]]]
)
def test_a_skeleton_counts_from_one_or_zero_or_has_names(written: Callable[..., Path], skeleton: list[Any]) -> None:
    category = read(written(category={"keypoints": POINTS, "skeleton": skeleton})).categories[0]
    assert category.skeleton == ((0, 1), (1, 2))


def test_labelled_points_are_counted_whatever_the_file_says(written: Callable[..., Path]) -> None:
    points = [1, 2, 2, 5, 6, 1, 0, 0, 0]
    for said in ({}, {"num_keypoints": None}, {"num_keypoints": 0}, {"num_keypoints": 2}):
        found = read(written(category={"keypoints": POINTS}, annotation={"keypoints": points, **said}))
        assert found.images[0].annotations[0]["num_keypoints"] == 2


VOC = """<annotation><filename>{filename}</filename><size><width>{width}</width><height>30</height></size>
<object><name>{name}</name><difficult>{difficult}</difficult>
<bndbox><xmin>2</xmin><ymin>3</ymin><xmax>11</xmax><ymax>14</ymax></bndbox></object></annotation>"""


def write_voc(root: Path, text: str, image: str = "a.jpg", **fields: str) -> None:
    """Write an image and its XML file."""
    for folder in ("Annotations", "JPEGImages"):
        (root / folder).mkdir()
    Image.new("RGB", (40, 30)).save(root / "JPEGImages" / image)
    values = {"filename": image, "width": "40", "name": "cup", "difficult": "0", **fields}
    (root / "Annotations" / "a.xml").write_text(text.format(**values), encoding="utf-8")


@pytest.fixture
def voc(tmp_path: Path) -> Callable[..., AnnotatedSplit]:
    """Reads a VOC folder with the images a, a_mirrored (50 x 30) and the XML files asked for."""

    def read_voc(names: tuple[str, ...] = ("a",), **fields: str) -> AnnotatedSplit:
        for folder in ("Annotations", "JPEGImages"):
            (tmp_path / folder).mkdir(exist_ok=True)
        for name, width in (("a", 40), ("a_mirrored", 50)):
            Image.new("RGB", (width, 30)).save(tmp_path / "JPEGImages" / f"{name}.jpg")
        for file in (tmp_path / "Annotations").iterdir():
            file.unlink()
        for name in names:
            values = {"filename": "a.jpg", "width": "0", "name": "cup", "difficult": "0", **fields}
            (tmp_path / "Annotations" / f"{name}.xml").write_text(VOC.format(**values), encoding="utf-8")
        return pascal_voc.read(tmp_path, names, None, "train.txt", skip=False)

    return read_voc


def test_the_name_of_an_xml_file_goes_before_what_it_says(
    voc: Callable[..., AnnotatedSplit], caplog: pytest.LogCaptureFixture
) -> None:
    found = voc(("a", "a_mirrored"))
    assert [image.path.name for image in found.images] == ["a.jpg", "a_mirrored.jpg"]
    assert "1 XML files have a <filename> of another image" in caplog.text
    assert "a_mirrored.xml says a.jpg, and a_mirrored.jpg is read" in caplog.text


def test_boxes_of_an_image_that_is_absent_do_not_land_on_another_s(voc: Callable[..., AnnotatedSplit]) -> None:
    with pytest.raises(DataError, match="image 'gone': image is missing"):
        voc(("a", "gone"))
    assert [image.path.name for image in voc(("gone",), filename="a_mirrored.jpg").images] == ["a_mirrored.jpg"]


@pytest.mark.parametrize("suffix", ["JPG", "Jpeg", "png", "PNG", "gif"])
def test_an_image_is_found_whatever_its_suffix(tmp_path: Path, suffix: str) -> None:
    write_voc(tmp_path, VOC, f"a.{suffix}", filename=f"a.{suffix}" if suffix == "Jpeg" else "")
    [image] = pascal_voc.read(tmp_path, ["a"], None, "train.txt", skip=False).images
    assert image.path.name == f"a.{suffix}"


@pytest.mark.parametrize("filename", ["a.jpg", "a", "", " a.jpg\n", r"C:\pictures\a.jpg", "../JPEGImages/a.jpg"])
def test_a_filename_that_agrees_is_no_matter(
    voc: Callable[..., AnnotatedSplit], caplog: pytest.LogCaptureFixture, filename: str
) -> None:
    assert voc(filename=filename).images[0].path.name == "a.jpg"
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("written", "crowd"), [("Unspecified", 0), ("", 0), ("1", 1), (" 1\n", 1), ("True", 1), ("no", 0)]
)
def test_difficult_is_read_as_tools_write_it(voc: Callable[..., AnnotatedSplit], written: str, crowd: int) -> None:
    assert voc(difficult=written).images[0].annotations[0]["iscrowd"] == crowd


@pytest.mark.parametrize("width", ["40.0", " 40 ", "", "0"])
def test_a_width_of_voc_may_be_a_float_or_none(voc: Callable[..., AnnotatedSplit], width: str) -> None:
    assert (voc(width=width).images[0].width, voc(width=width).images[0].height) == (40, 30)


def test_the_name_of_a_class_of_voc_is_stripped(voc: Callable[..., AnnotatedSplit]) -> None:
    assert voc(name="\n cup ").names == ("cup",)
    assert voc(name="\n coffee\n   cup\n").names == ("coffee cup",)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": ""}, "a.xml object 1: it has no <name>"),
        ({"name": " \n"}, "a.xml object 1: it has no <name>"),
        ({"difficult": "somewhat"}, "a.xml object 1: <difficult> is 'somewhat'; it is 0 or 1"),
        ({"width": "wide"}, "image 'a': Annotations/a.xml: <width> is 'wide', not a number"),
        ({"width": "41"}, "image 'a': image is 40 x 30, annotated as 41 x 30"),
    ],
)
def test_a_field_of_voc_that_means_nothing_is_named(
    voc: Callable[..., AnnotatedSplit], fields: dict[str, str], said: str
) -> None:
    with pytest.raises(DataError, match=said):
        voc(**fields)


def test_an_object_without_a_name_is_refused(tmp_path: Path) -> None:
    write_voc(tmp_path, VOC.replace("<name>{name}</name>", ""))
    with pytest.raises(DataError, match=r"a\.xml object 1: it has no <name>"):
        pascal_voc.read(tmp_path, ["a"], None, "train.txt", skip=False)


@pytest.mark.parametrize(
    ("lines", "names"),
    [
        ("a\nb\n", ["a", "b"]),
        ("a.jpg\nb.PNG\n", ["a", "b"]),
        ("a  1\nb -1\n", ["a", "b"]),
        ("photo 1\nphoto 0\n", ["photo 1", "photo 0"]),
        ("my photo\n", ["my photo"]),
        ("\ufeffa\r\nb\r\n", ["a", "b"]),
    ],
)
def test_a_list_has_a_name_in_each_line(tmp_path: Path, lines: str, names: list[str]) -> None:
    (tmp_path / "list.txt").write_text(lines, encoding="utf-8", newline="")
    assert read_image_list(tmp_path / "list.txt") == names
