"""The exports of a split and their images are found by names, folders and keys, or said to be missing."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("PIL")
pytest.importorskip("pycocotools")

from adapt_core.errors import DataError, InputError

from .conftest import MakePlan, Read, as_read, boxes
from .exports import (
    BOXES,
    EXPORTS,
    FILES,
    SUFFIX,
    coco,
    cvat,
    labelme,
    save,
    save_images,
    via,
    write,
)
from adapt_vision_mm.annotations.sources import SplitNotFoundError
from adapt_vision_mm.object_detection.data import DetectionData


@pytest.mark.parametrize("layout", ["folders", "files", "annotations", "keys"])
@pytest.mark.parametrize("name", FILES)
def test_splits_are_found_by_their_names_or_keys(read: Read, tmp_path: Path, name: str, layout: str) -> None:
    suffix, writer = SUFFIX[name], FILES[name]
    parts = {"train": {"a.jpg": BOXES["a.jpg"]}, "val": {"b.jpg": BOXES["b.jpg"]}, "test": {"d.jpg": BOXES["b.jpg"]}}
    for split, part in parts.items():
        folder, file = {
            "folders": (split, f"{split}/export{suffix}"),
            "files": ("images", f"{split}{suffix}" if split == "train" else f"pets_{split}{suffix}"),
            "annotations": (f"images/{split}", f"annotations/{split}{suffix}"),
            "keys": ("pictures", f"exports/{split}-3{suffix}"),
        }[layout]
        save_images(tmp_path / folder, part)
        writer(tmp_path / file, part)
    if layout == "files" and suffix == ".xml":
        (tmp_path / "train.xml").rename(tmp_path / "pets_train.xml")
    keys = {f"{split}_ann_file": f"exports/{split}-3{suffix}" for split in parts} if layout == "keys" else {}
    folders = {f"{split.upper()}_DIR": "pictures" for split in parts} if layout == "keys" else {}
    found = read(**keys, **folders)
    assert {split: boxes(one) for split, one in found.items()} == {
        split: as_read(part) for split, part in parts.items()
    }
    assert all(one.names == ("cat", "dog") for one in found.values())


def test_labelme_has_folders_of_splits(read: Read, tmp_path: Path) -> None:
    for split, name in (("train", "a.jpg"), ("valid", "b.jpg"), ("test", "b.jpg")):
        save_images(tmp_path / split, {name: []})
        labelme(tmp_path / split, {name: BOXES[name]})
    found = read()
    assert {split: list(boxes(one)) for split, one in found.items()} == {
        "train": ["a.jpg"],
        "val": ["b.jpg"],
        "test": ["b.jpg"],
    }
    named = read(TRAIN_DIR="valid", VAL_DIR="train", DO_EVAL=False)
    assert list(boxes(named["train"])) == ["b.jpg"]


@pytest.mark.parametrize("export", EXPORTS)
def test_images_that_are_missing_or_of_another_size_are_told(read: Read, tmp_path: Path, export: str) -> None:
    save_images(tmp_path)
    EXPORTS[export][1](tmp_path)
    (tmp_path / "b.jpg").unlink()
    with pytest.raises(DataError, match=r"1 row cannot be used(.|\n)*: image is missing"):
        read()
    (tmp_path / "b.jpg").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"b\.jpg: image cannot be read"):
        read()
    save(tmp_path / "b.jpg", (40, 20))
    if not export.startswith("via"):
        with pytest.raises(DataError, match="image is 40 x 20, annotated as 64 x 32"):
            read()


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_no_json_or_xml_is_told(read: Read, tmp_path: Path, name: str) -> None:
    save_images(tmp_path)
    file = FILES[name](tmp_path / f"train{SUFFIX[name]}")
    file.write_text(file.read_text()[:-30])
    with pytest.raises(
        DataError, match=rf"{file.name}( cannot be read as JSON|:\d+: not well-formed XML): .*(line|column)"
    ):
        read()
    write(tmp_path / "other.json", "{}")
    with pytest.raises(InputError, match=r"other\.json is not an export of|train_ann_file: there is no export of CVAT"):
        read(DATA_FORMAT=name, train_ann_file="other.json")


@pytest.mark.parametrize("name", FILES)
def test_a_named_format_without_its_files_says_which_it_needs(read: Read, tmp_path: Path, name: str) -> None:
    save_images(tmp_path)
    with pytest.raises(SplitNotFoundError, match=r"train_ann_file: there is no export of .* of the train split in"):
        read(DATA_FORMAT=name)
    FILES[name](tmp_path / f"train{SUFFIX[name]}")
    (tmp_path / "later").mkdir()
    with pytest.raises(InputError, match=r"val_ann_file: (val\.json was not found|there is no export)"):
        read(VAL_DIR="later")


def test_a_named_format_goes_before_a_default_file_of_another(read: Read, tmp_path: Path) -> None:
    save_images(tmp_path)
    write(tmp_path / "train.json", coco({"a.jpg": BOXES["a.jpg"]}))
    cvat(tmp_path / "annotations.xml")
    assert list(boxes(read(DO_EVAL=False)["train"])) == ["a.jpg"]
    assert boxes(read(DATA_FORMAT="cvat", DO_EVAL=False)["train"]) == as_read(BOXES)


def test_two_exports_in_one_folder_are_an_error_that_names_both(read: Read, tmp_path: Path) -> None:
    save_images(tmp_path)
    via(tmp_path / "via.json")
    cvat(tmp_path / "annotations.xml")
    with pytest.raises(InputError, match=r"is recognised by via .* and cvat .* Set DATA_FORMAT"):
        read()
    assert boxes(read(DATA_FORMAT="cvat", DO_EVAL=False)["train"]) == as_read(BOXES)


def test_images_outside_of_the_data_are_read_and_said(
    read: Read, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, caplog: pytest.LogCaptureFixture
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    save(elsewhere / "far.jpg")
    save(tmp_path / "near.jpg")
    for written in (str(elsewhere / "far.jpg"), f"../{elsewhere.name}/far.jpg"):
        caplog.clear()
        via(tmp_path / "via.json", {written: BOXES["b.jpg"], "near.jpg": []})
        assert list(boxes(read(DO_EVAL=False)["train"])) == ["far.jpg", "near.jpg"]
        assert "names images outside of CUSTOM_DATASET_PATH, which are read: " in caplog.text
        assert "far.jpg (1 in all)" in caplog.text
    save(tmp_path / "far.jpg")
    caplog.clear()
    via(tmp_path / "via.json", {str(elsewhere / "far.jpg"): BOXES["b.jpg"], "near.jpg": []})
    assert read(DO_EVAL=False)["train"].images[0].path == tmp_path / "far.jpg"
    assert "outside" not in caplog.text


def test_images_on_a_server_are_found_by_their_names_or_told(read: Read, tmp_path: Path) -> None:
    save_images(tmp_path / "images")
    places = ["https://shop.example/pets/images/a.jpg?token=1", "s3://pets/b.jpg", "c%20d.jpg"]
    via(tmp_path / "via.json", {places[0]: BOXES["a.jpg"], places[1]: [], "https://x.example/gone.jpg": []})
    with pytest.raises(DataError, match="its image is on a server: copy it into CUSTOM_DATASET_PATH"):
        read(DO_EVAL=False)
    assert list(boxes(read(DO_EVAL=False, SKIP_BAD_ROWS=True)["train"])) == ["a.jpg", "b.jpg"]


def test_two_entries_of_one_image_are_told(read: Read, tmp_path: Path) -> None:
    """As where images of one name lay in two folders, and were copied into one."""
    save_images(tmp_path)
    via(tmp_path / "via.json", {"one/a.jpg": BOXES["a.jpg"], "two/a.jpg": BOXES["b.jpg"]})
    with pytest.raises(DataError, match=r"a\.jpg: its image is also that of another entry \(.*one/a\.jpg\)"):
        read()


def test_a_test_split_without_objects_is_left_out_and_predicted(
    read: Read, tmp_path: Path, plan: MakePlan, caplog: pytest.LogCaptureFixture
) -> None:
    for split in ("train", "test"):
        save_images(tmp_path / split)
        cvat(tmp_path / split / "annotations.xml", BOXES if split == "train" else dict.fromkeys(BOXES, ()))
    assert list(read(DO_EVAL=False)) == ["train"]
    assert "the test split has no annotations in" in caplog.text
    images = DetectionData(plan()).list_unannotated_test()
    assert {number: path.name for number, path in (images or {}).items()} == {1: "a.jpg", 2: "b.jpg", 3: "c.jpg"}
