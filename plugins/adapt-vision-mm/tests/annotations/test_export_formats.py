"""Exports of annotation tools are read as the same annotations in COCO's form, bit for bit."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

pytest.importorskip("PIL")
pytest.importorskip("pycocotools")

from adapt_core.contracts import Format, Place
from adapt_core.errors import DataError, InputError
from adapt_core.plugin.registry import Registry
from adapt_core.testing import FormatContract

from .conftest import Read, as_read, boxes
from .exports import (
    BOXES,
    EXPORTS,
    FILES,
    SUFFIX,
    coco,
    cvat,
    save_images,
    via,
    via_csv,
    write,
)
from adapt_vision_mm.annotations.annotated_split import AnnotatedSplit


def content(split: AnnotatedSplit) -> object:
    """All that a model is trained on, without the place of the data."""
    images = [
        (one.id, one.path.name, one.width, one.height, one.as_stored, [dict(a) for a in one.annotations])
        for one in split.images
    ]
    return images, split.categories


@pytest.mark.parametrize("export", EXPORTS)
def test_an_export_is_read_as_the_same_boxes_in_coco_s_form(read: Read, tmp_path: Path, export: str) -> None:
    name, write_into = EXPORTS[export]
    save_images(tmp_path)
    write(tmp_path / "coco" / "train.json", coco())
    save_images(tmp_path / "coco")
    wanted = read(CUSTOM_DATASET_PATH=str(tmp_path / "coco"), DO_EVAL=False)["train"]
    write_into(tmp_path)
    found = read(DO_EVAL=False)["train"]
    assert content(found) == content(wanted)
    assert boxes(found) == as_read(BOXES)
    recognised = found.recognised
    assert recognised is not None
    assert recognised.choice.name == name
    assert "is an export of" in recognised.reason
    again = read(DO_EVAL=False, DATA_FORMAT=name)["train"]
    assert content(again) == content(found)
    assert again.recognised is not None
    assert again.recognised.reason == "DATA_FORMAT names it"


@pytest.mark.parametrize("export", EXPORTS)
def test_without_a_validation_part_a_share_is_held_out_as_of_coco(
    read: Read, tmp_path: Path, export: str, caplog: pytest.LogCaptureFixture
) -> None:
    many = {f"{n}.jpg": [("cat", (n, 2, 8, 8)), ("dog", (20, 2, 8, 8))] for n in range(10)}
    save_images(tmp_path, many)
    write(tmp_path / "coco" / "train.json", coco(many))
    save_images(tmp_path / "coco", many)
    EXPORTS[export][1](tmp_path, many)
    with caplog.at_level(logging.INFO):
        found = read(DATA_SPLIT=0.3)
    wanted = read(CUSTOM_DATASET_PATH=str(tmp_path / "coco"), DATA_SPLIT=0.3)
    assert {name: content(split) for name, split in found.items()} == {n: content(s) for n, s in wanted.items()}
    assert "there is no validation split: 3 of 10 images are held out" in caplog.text


@pytest.mark.parametrize("name", FILES)
def test_several_exports_of_a_split_are_one(read: Read, tmp_path: Path, name: str) -> None:
    suffix, writer = SUFFIX[name], FILES[name]
    save_images(tmp_path / "train")
    writer(tmp_path / "train" / f"one{suffix}", {"b.jpg": BOXES["b.jpg"], "c.jpg": []})
    writer(tmp_path / "train" / f"two{suffix}", {"a.jpg": BOXES["a.jpg"]})
    merged = read(DO_EVAL=False)["train"]
    listed = read(DO_EVAL=False, train_ann_file=[f"train/one{suffix}", f"train/two{suffix}"])["train"]
    for found in (merged, listed):
        assert boxes(found) == as_read(BOXES)
        assert sorted(found.names) == ["cat", "dog"]
        assert [a["id"] for image in found.images for a in image.annotations] == [1, 2, 3]


@pytest.mark.parametrize("name", FILES)
def test_exports_of_one_image_are_united(read: Read, tmp_path: Path, name: str) -> None:
    """As of two people who look for two classes."""
    suffix, writer = SUFFIX[name], FILES[name]
    save_images(tmp_path)
    cat, dog = BOXES["a.jpg"]
    writer(tmp_path / f"one{suffix}", {"a.jpg": [cat], "c.jpg": []})
    writer(tmp_path / f"two{suffix}", {"a.jpg": [dog, cat], "b.jpg": BOXES["b.jpg"]})
    found = read(DO_EVAL=False)["train"]
    assert boxes(found) == as_read(BOXES)
    assert [one.id for one in found.images] == [1, 2, 3]


def test_files_of_several_formats_make_up_a_split(read: Read, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    save_images(tmp_path)
    write(tmp_path / "b.json", coco({"b.jpg": BOXES["b.jpg"]}))
    cvat(tmp_path / "a.xml", {"a.jpg": BOXES["a.jpg"], "c.jpg": []})
    via(tmp_path / "cats.json", {"b.jpg": [("cat", (1, 1, 4, 4)), ("dog", (16, 16, 32, 16))]})
    found = read(DO_EVAL=False, train_ann_file=["b.json", "a.xml", "cats.json"])["train"]
    assert found.names == ("dog", "cat")
    assert boxes(found) == as_read({**BOXES, "b.jpg": [("dog", (16, 16, 32, 16)), ("cat", (1, 1, 4, 4))]})
    assert "1 objects that several files have are read once" in caplog.text
    with pytest.raises(InputError, match=r"train_ann_file: gone\.json was not found"):
        read(train_ann_file=["b.json", "gone.json"])


@pytest.mark.parametrize("together", [True, False], ids=["one tool", "two tools"])
def test_boxes_that_agree_to_a_pixel_are_one(
    read: Read, tmp_path: Path, together: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """COCO's area and the rounding of tools make no second object; a box of another class or farther away is one."""
    save_images(tmp_path)
    via(tmp_path / "one.json", {"a.jpg": [("cat", (24, 8, 16, 16)), ("cat", (4, 4, 8, 8))]})
    again = [("cat", (24.3, 7.8, 16, 16.2)), ("dog", (24, 8, 16, 16)), ("cat", (4, 4, 8, 9.5))]
    if together:
        via(tmp_path / "two.json", {"a.jpg": again})
    else:
        data = coco({"a.jpg": again})
        data["annotations"] = [{**one, "area": 7.0} for one in data["annotations"]]
        write(tmp_path / "two.json", data)
    found = read(DO_EVAL=False, train_ann_file=["one.json", "two.json"])["train"]
    first = [("cat", (24, 8, 16, 16)), ("cat", (4, 4, 8, 8))]
    assert boxes(found) == as_read({"a.jpg": [*first, *again[1:]]})
    assert "1 objects that several files have are read once" in caplog.text


def test_one_object_stands_for_one_of_another_file(read: Read, tmp_path: Path) -> None:
    """Two small objects side by side are not both the one that another file has."""
    save_images(tmp_path)
    near = [("cat", (10.0, 8.0, 2.0, 2.0)), ("cat", (10.9, 8.0, 2.0, 2.0))]
    via(tmp_path / "one.json", {"a.jpg": near[1:]})
    via(tmp_path / "two.json", {"a.jpg": near})
    found = read(DO_EVAL=False, train_ann_file=["one.json", "two.json"])["train"]
    assert boxes(found) == as_read({"a.jpg": [near[1], near[0]]})


@pytest.mark.parametrize("export", EXPORTS)
def test_boxes_are_no_masks(read: Read, tmp_path: Path, export: str) -> None:
    save_images(tmp_path)
    EXPORTS[export][1](tmp_path)
    with pytest.raises(DataError, match="a rectangle is no mask: draw a polygon, or train object_detection on boxes"):
        read("instance_segmentation", DO_EVAL=False)


@pytest.mark.parametrize("export", EXPORTS)
def test_a_class_that_only_validation_has_is_told_with_its_place(read: Read, tmp_path: Path, export: str) -> None:
    for split, label in (("train", "cat"), ("val", "cow")):
        part = {f"{split}.jpg": [(label, (1.0, 1.0, 8.0, 8.0)), ("cat", (1.0, 1.0, 8.0, 8.0))]}
        save_images(tmp_path / split, part)
        EXPORTS[export][1](tmp_path / split, part)
    with pytest.raises(DataError, match="class 'cow' is not one of the training split \\('cat'\\)") as caught:
        read()
    assert str(tmp_path / "val") in str(caught.value)
    found = read(SKIP_BAD_ROWS=True)["val"]
    assert found.dropped == {"class 'cow' is not one of the training split ('cat')": 1}


@pytest.mark.parametrize("export", EXPORTS)
@pytest.mark.parametrize(
    ("box", "reason"),
    [
        ((60.0, 2.0, 16.0, 8.0), "its rectangle extends 12 pixels beyond the image (64 x 32)"),
        ((6.0, 2.0, 0.0, 8.0), "its rectangle has no area"),
    ],
)
def test_a_bad_box_is_told_and_counted(
    read: Read, tmp_path: Path, export: str, box: tuple[float, float, float, float], reason: str
) -> None:
    save_images(tmp_path)
    EXPORTS[export][1](tmp_path, {**BOXES, "b.jpg": [("cat", (1, 1, 8, 8)), ("dog", box)]})
    with pytest.raises(DataError) as caught:
        read()
    first, bad = str(caught.value).splitlines()[:2]
    assert first.endswith(": 1 row cannot be used.")
    assert bad.startswith(str(tmp_path))
    assert bad.endswith(f": {reason}")
    found = read(SKIP_BAD_ROWS=True, DO_EVAL=False)["train"]
    assert found.dropped == {reason: 1}
    assert boxes(found)["b.jpg"] == [("cat", [1.0, 1.0, 8.0, 8.0])]


@pytest.mark.parametrize("name", ["label_studio", "labelme", "via", "cvat"])
def test_each_format_serves_the_tasks_that_its_shapes_allow(name: str) -> None:
    item = Registry.discover().formats.find(name)
    assert item is not None
    wanted = {"image+boxes", "image+masks", *(() if name == "via" else ("image+keypoints",))}
    assert set(item.spec.shapes) == wanted


class ExportContract(FormatContract):
    """What the contracts share: the split is written by the function of its export."""

    export = ""

    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        save_images(tmp_path)
        EXPORTS[self.export][1](tmp_path)
        files = tuple(sorted(path for path in tmp_path.iterdir() if path.suffix != ".jpg"))
        return Place(split="train", root=tmp_path, files=files)

    def test_rows_have_names_for_classes(self, place: Place, reader: Format) -> None:
        row = next(iter(reader.read(place)))
        assert [(one["category"], one["bbox"]) for one in row.values["objects"]] == as_read(BOXES)["a.jpg"]


class TestLabelStudio(ExportContract):
    name, export = "label_studio", "label studio"


class TestLabelStudioMin(ExportContract):
    name, export = "label_studio", "label studio, JSON-MIN"


class TestLabelMe(ExportContract):
    name, export = "labelme", "labelme"


class TestVia(ExportContract):
    name, export = "via", "via, annotations"


class TestViaCsv(ExportContract):
    name, export = "via", "via, csv"


class TestCvat(ExportContract):
    name, export = "cvat", "cvat"


def test_a_csv_of_via_tells_its_lines(read: Read, tmp_path: Path) -> None:
    save_images(tmp_path)
    file = via_csv(tmp_path / "via.csv")
    file.write_text(file.read_text().replace('""width"":32', '""width"":""wide""'))
    with pytest.raises(DataError, match=rf"{file}:4: width is 'wide', not a number"):
        read()
