"""The files of a split: found by standard names, and their images beside them."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from adapt_core.errors import InputError

from .coco_files import CUP_AND_PLATE, PERSON, write_coco
from .conftest import Read


@pytest.mark.parametrize("task", ["object_detection", "instance_segmentation"])
@pytest.mark.parametrize("year", ["2017", "2014", ""])
def test_the_files_of_coco_are_found_by_their_names(
    read: Read, tmp_path: Path, caplog: pytest.LogCaptureFixture, task: str, year: str
) -> None:
    for split, count in (("train", 3), ("val", 2)):
        write_coco(tmp_path / "annotations" / f"instances_{split}{year}.json", tmp_path / f"{split}{year}", count)
    with caplog.at_level(logging.INFO):
        found = read(task)
    assert {name: len(split.images) for name, split in found.items()} == {"train": 3, "val": 2}
    assert f"train_ann_file is not set: {tmp_path}/annotations/instances_train{year}.json is read" in caplog.text


@pytest.mark.parametrize("task", ["object_detection", "instance_segmentation", "pose_detection"])
@pytest.mark.parametrize("folder", ["", "annotations"])
def test_a_file_by_the_name_of_its_split_is_found_for_every_task(
    read: Read, tmp_path: Path, task: str, folder: str
) -> None:
    for split, count in (("train", 3), ("val", 2)):
        write_coco(tmp_path / folder / f"{split}.json", tmp_path / "images", count, categories=PERSON, used=(1,))
    assert {name: len(split.images) for name, split in read(task).items()} == {"train": 3, "val": 2}


def test_the_keypoints_of_coco_are_found_by_their_names(read: Read, tmp_path: Path) -> None:
    for split in ("train", "val"):
        write_coco(tmp_path / "annotations" / f"instances_{split}2014.json", tmp_path / f"{split}2014")
        file = tmp_path / "annotations" / f"person_keypoints_{split}2014.json"
        write_coco(file, tmp_path / f"{split}2014", 2, PERSON, (1,))
    found = read("pose_detection", augment=False)
    assert [split.names for split in found.values()] == [("person",), ("person",)]
    assert [len(split.images) for split in found.values()] == [2, 2]


@pytest.mark.parametrize("prefix", ["person_keypoints", "keypoints"])
@pytest.mark.parametrize("above", ["", "images/"])
def test_keypoints_are_not_trained_on_the_validation_file_that_the_default_names(
    read: Read, tmp_path: Path, caplog: pytest.LogCaptureFixture, prefix: str, above: str
) -> None:
    """The default of train_ann_file, nyuntam_adapt's, is COCO's validation file."""
    for split, count in (("train", 3), ("val", 2)):
        file = tmp_path / "annotations" / f"{prefix}_{split}2017.json"
        write_coco(file, tmp_path / f"{above}{split}2017", count, PERSON, (1,))
    with caplog.at_level(logging.INFO):
        found = read("pose_detection", augment=False)
    assert {name: len(split.images) for name, split in found.items()} == {"train": 3, "val": 2}
    val, train = (tmp_path / "annotations" / f"{prefix}_{split}2017.json" for split in ("val", "train"))
    if prefix == "person_keypoints":
        assert f"{val} bears the name of val: {train} is read" in caplog.text
    else:
        assert f"train_ann_file is not set: {train} is read" in caplog.text


@pytest.mark.parametrize("keys", [{}, {"TRAIN_DIR": "val2017"}])
def test_keypoints_of_the_validation_file_train_where_the_images_of_the_training_file_are_absent(
    read: Read, tmp_path: Path, keys: Any
) -> None:
    """COCO's zip of annotations has both files; the images of val2017 are downloaded by themselves."""
    for split in ("train", "val"):
        file = tmp_path / "annotations" / f"person_keypoints_{split}2017.json"
        write_coco(file, tmp_path / f"{split}2017", 10, PERSON, (1,))
    shutil.rmtree(tmp_path / "train2017")
    found = read("pose_detection", augment=False, **keys)
    assert {name: len(split.images) for name, split in found.items()} == {"train": 9, "val": 1}
    assert found["train"].images[0].path.parent == tmp_path / "val2017"


def test_a_list_of_label_maps_without_class_list_goes_behind_coco_s_file(read: Read, tmp_path: Path) -> None:
    (tmp_path / "splits").mkdir()
    for split, count in (("train", 3), ("val", 2)):
        write_coco(tmp_path / "annotations" / f"instances_{split}.json", tmp_path / "images", count)
        (tmp_path / "splits" / f"{split}.txt").write_text(f"instances_{split}-1\n", encoding="utf-8")
    found = read("instance_segmentation")
    assert {name: len(split.images) for name, split in found.items()} == {"train": 3, "val": 2}
    with pytest.raises(InputError, match="no folder of PNG label maps"):
        read("instance_segmentation", class_list=["cup", "plate"])


@pytest.mark.parametrize("task", ["object_detection", "instance_segmentation"])
def test_the_files_of_roboflow_are_found_by_their_names(read: Read, tmp_path: Path, task: str) -> None:
    group = ({"id": 0, "name": "things"}, *CUP_AND_PLATE)
    for folder, count in (("train", 3), ("valid", 2), ("test", 1)):
        write_coco(tmp_path / folder / "_annotations.coco.json", tmp_path / folder, count, group)
    found = read(task)
    assert {name: len(split.images) for name, split in found.items()} == {"train": 3, "val": 2, "test": 1}
    assert found["val"].images[0].path.parent.name == "valid"


def test_a_file_that_the_config_names_goes_before_standard_names(read: Read, tmp_path: Path) -> None:
    for name in ("train", "valid", "test"):
        write_coco(tmp_path / name / "_annotations.coco.json", tmp_path / name)
    write_coco(tmp_path / "own.json", tmp_path / "train", 4)
    found = read(train_ann_file="own.json")
    assert {name: len(split.images) for name, split in found.items()} == {"train": 4, "val": 1}
    with pytest.raises(InputError, match=r"train_ann_file: absent\.json was not found"):
        read(train_ann_file="absent.json")


def write_as(file: Path, images: Path, names: list[str], size: tuple[int, int] = (40, 30)) -> None:
    """Write a COCO file whose images have the given names and size."""
    write_coco(file, images, len(names))
    data = json.loads(file.read_text(encoding="utf-8"))
    for entry, name in zip(data["images"], names, strict=True):
        (images / entry["file_name"]).unlink()
        Image.new("RGB", size).save(images / name.strip())
        entry["file_name"] = name
    file.write_text(json.dumps(data), encoding="utf-8")


def test_a_file_has_the_images_of_the_split_that_its_name_says(read: Read, tmp_path: Path) -> None:
    """One file for both splits, and both folders have an image of that name."""
    write_as(tmp_path / "annotations" / "person_keypoints_val2017.json", tmp_path / "val2017", ["1.png", "2.png"])
    shutil.copytree(tmp_path / "val2017", tmp_path / "train2017")
    name = "annotations/person_keypoints_val2017.json"
    found = read(train_ann_file=name, val_ann_file=name)
    assert {image.path.parent.name for split in found.values() for image in split.images} == {"val2017"}
    (tmp_path / "images").mkdir()
    (tmp_path / "val2017").rename(tmp_path / "images" / "val2017")
    found = read(train_ann_file=name, val_ann_file=name)
    assert {image.path.parent for image in found["train"].images} == {tmp_path / "images" / "val2017"}


def test_a_folder_that_a_file_s_name_ends_in_is_none_of_images_unless_it_is_a_split_s(
    read: Read, tmp_path: Path
) -> None:
    write_as(tmp_path / "labels_small.json", tmp_path, ["1.png", "2.png"])
    (tmp_path / "small").mkdir()
    for name in ("1.png", "2.png"):
        Image.new("RGB", (9, 9)).save(tmp_path / "small" / name)
    found = read(train_ann_file="labels_small.json", DO_EVAL=False)
    assert [image.path for image in found["train"].images] == [tmp_path / "1.png", tmp_path / "2.png"]


def test_white_space_around_a_file_name_is_none_of_the_file_s(read: Read, tmp_path: Path) -> None:
    write_as(tmp_path / "train.json", tmp_path / "train", [" 1.png\n", "2.png"])
    found = read(DO_EVAL=False)
    assert [image.path for image in found["train"].images] == [tmp_path / "train" / name for name in ("1.png", "2.png")]


def test_folds_are_refused(read: Read) -> None:
    pytest.importorskip("sklearn", reason="FOLDS needs scikit-learn")
    with pytest.raises(InputError, match="FOLDS: object_detection does not make folds of annotated images"):
        read("object_detection", FOLDS=3)


def test_a_list_of_data_sets_is_refused(read: Read, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="tasks of annotated images read one place, and this is a list"):
        read("object_detection", CUSTOM_DATASET_PATH=[str(tmp_path), str(tmp_path / "more")])
