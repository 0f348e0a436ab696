"""The splits of a run: held out where there is no validation part, left out without answers, with the same classes."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from adapt_core.errors import DataError, InputError

from .coco_files import CUP_AND_PLATE, PERSON, write_coco
from .conftest import DATA, MakePlan, Read
from adapt_vision_mm.annotations.sources import find_test_folder
from adapt_vision_mm.instance_segmentation.data import SegmentationData
from adapt_vision_mm.object_detection.data import DetectionData


def test_a_single_file_is_not_both_trained_and_validated_on(
    read: Read, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "annotations" / "person_keypoints_val2017.json"
    write_coco(file, tmp_path / "val2017", 10, PERSON, (1,))
    found = read("pose_detection", augment=False)
    assert {name: len(split.images) for name, split in found.items()} == {"train": 9, "val": 1}
    assert "both" not in caplog.text
    write_coco(tmp_path / "all.json", tmp_path / "images", 4)
    found = read(train_ann_file="all.json", val_ann_file="all.json")
    assert {name: len(split.images) for name, split in found.items()} == {"train": 4, "val": 4}
    assert f"{tmp_path / 'all.json'} is both the training and the val split" in caplog.text


def test_a_folder_of_validation_images_needs_a_file_of_its_own(read: Read, tmp_path: Path) -> None:
    """The one file, which both keys name by default, lists no image of VAL_DIR."""
    file = tmp_path / "annotations" / "person_keypoints_val2017.json"
    write_coco(file, tmp_path / "one", 4, PERSON, (1,))
    (tmp_path / "two").mkdir()
    with pytest.raises(DataError, match="image is missing"):
        read("pose_detection", augment=False, TRAIN_DIR="one", VAL_DIR="two")
    found = read("pose_detection", augment=False, TRAIN_DIR="one")
    assert [len(split.images) for split in found.values()] == [3, 1]


@pytest.mark.parametrize(("share", "held"), [(None, 2), (0.25, 5), (0.999, 19)])
def test_without_a_validation_part_a_share_is_held_out(
    read: Read, tmp_path: Path, caplog: pytest.LogCaptureFixture, share: float | None, held: int
) -> None:
    write_coco(tmp_path / "train.json", tmp_path, 20)
    with caplog.at_level(logging.INFO):
        found = read(DATA_SPLIT=share)
    assert [len(split.images) for split in found.values()] == [20 - held, held]
    assert not {i.id for i in found["train"].images} & {i.id for i in found["val"].images}
    assert f"there is no validation split: {held} of 20 images are held out" in caplog.text
    again, other = read(DATA_SPLIT=share), read(DATA_SPLIT=share, SEED=7)
    assert [i.id for i in again["val"].images] == [i.id for i in found["val"].images]
    assert [i.id for i in other["val"].images] != [i.id for i in found["val"].images]
    assert list(read(DO_EVAL=False)) == ["train"]


def write_cups_and_last_plates(folder: Path, count: int, plates: int) -> None:
    """Write train.json of `count` images with a cup each, but a plate in the last ones."""
    file = folder / "train.json"
    write_coco(file, folder, count, used=(1,))
    data = json.loads(file.read_text(encoding="utf-8"))
    for annotation in data["annotations"][-plates:]:
        annotation["category_id"] = 2
    file.write_text(json.dumps(data), encoding="utf-8")


@pytest.mark.parametrize("seed", range(5))
def test_a_rare_class_is_in_both_parts(read: Read, tmp_path: Path, seed: int) -> None:
    write_cups_and_last_plates(tmp_path, 40, plates=2)
    found = read(SEED=seed)
    assert [split.count_by_category() for split in found.values()] == [{1: 34, 2: 1}, {1: 4, 2: 1}]


def test_images_that_each_stand_for_another_class_can_be_held_out(read: Read, tmp_path: Path) -> None:
    write_cups_and_last_plates(tmp_path, 2, plates=1)
    assert [len(split.images) for split in read().values()] == [1, 1]


def test_a_named_validation_file_that_is_missing_is_an_error(read: Read, tmp_path: Path) -> None:
    write_coco(tmp_path / "train.json", tmp_path, 4)
    with pytest.raises(InputError, match=r"val_ann_file: other\.json was not found"):
        read(val_ann_file="other.json")


def test_one_image_cannot_be_held_out(read: Read, tmp_path: Path) -> None:
    write_coco(tmp_path / "train.json", tmp_path)
    with pytest.raises(DataError, match=r"one image is too few to hold out others\. Set DO_EVAL: false"):
        read()


@pytest.mark.parametrize("task", list(DATA))
@pytest.mark.parametrize("folder", ["test", "test2017", "images/test2014"])
def test_images_of_a_test_split_without_annotations_are_told_to_be_left_out(
    read: Read, plan: MakePlan, tmp_path: Path, caplog: pytest.LogCaptureFixture, task: str, folder: str
) -> None:
    write_coco(tmp_path / "train.json", tmp_path / "train", 4, PERSON, (1,))
    (tmp_path / "test").mkdir()  # empty, or with other files than images: passed over
    (tmp_path / "test" / "notes.txt").write_text("none yet", encoding="utf-8")
    splits = read(task, augment=False)
    assert "left out" not in caplog.text
    assert find_test_folder(plan(task), splits.values()) is None
    (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (40, 30)).save(tmp_path / folder / "1.png")
    splits = read(task, augment=False)
    assert list(splits) == ["train", "val"]
    assert (
        f"the test split has no test_ann_file, only the images in {tmp_path / folder}, so it is left out of the "
        "evaluation. DO_PREDICT: true predicts it" in caplog.text
    )
    assert find_test_folder(plan(task), splits.values()) == tmp_path / folder


def test_a_folder_test_whose_images_are_validated_on_is_no_test_split(
    read: Read, plan: MakePlan, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_coco(tmp_path / "train.json", tmp_path / "train", 4)
    write_coco(tmp_path / "late.json", tmp_path / "test" / "inner", 2)
    keys = {"val_ann_file": "late.json", "VAL_DIR": "test/inner"}
    splits = read(**keys)
    assert "left out" not in caplog.text
    assert find_test_folder(plan(**keys), splits.values()) is None


@pytest.mark.parametrize("task", list(DATA))
@pytest.mark.parametrize("annotations", [None, []])
def test_a_test_file_that_lists_images_only_is_left_out_and_its_images_are_predicted(
    read: Read, plan: MakePlan, tmp_path: Path, caplog: pytest.LogCaptureFixture, task: str, annotations: Any
) -> None:
    """COCO's own image_info_test2017.json has no key `annotations`; Roboflow writes an empty list."""
    write_coco(tmp_path / "train.json", tmp_path / "train", 4, PERSON, (1,))
    (tmp_path / "test2017").mkdir()
    Image.new("RGB", (40, 30)).save(tmp_path / "test2017" / "b.png")
    listed = {"images": [{"id": 7, "file_name": "b.png"}, {"id": 3, "file_name": "gone.png"}], "categories": []}
    file = tmp_path / "image_info_test2017.json"
    file.write_text(json.dumps(listed if annotations is None else {**listed, "annotations": annotations}))
    keys = {"test_ann_file": file.name, "augment": False}
    assert list(read(task, **keys)) == ["train", "val"]
    assert f"the test split has no annotations in {file}, so it is left out of the evaluation" in caplog.text
    folder = tmp_path / "test2017"
    images = DATA[task](plan(task, **keys)).list_unannotated_test()
    assert list((images or {}).items()) == [(7, folder / "b.png"), (3, folder / "gone.png")]
    assert DATA[task](plan(task, augment=False)).list_unannotated_test() is None


def test_a_test_file_with_annotations_or_without_proper_images_is_no_list_of_images(
    read: Read, plan: MakePlan, tmp_path: Path
) -> None:
    write_coco(tmp_path / "train.json", tmp_path / "train", 4)
    write_coco(tmp_path / "test.json", tmp_path / "test", 2)
    keys = {"test_ann_file": "test.json"}
    assert len(read(**keys)["test"].images) == 2
    assert DetectionData(plan(**keys)).list_unannotated_test() is None
    (tmp_path / "test.json").write_text(json.dumps({"images": [{"file_name": "no-id.png"}]}))
    with pytest.raises(DataError, match="no list 'annotations'"):
        read(**keys)


@pytest.mark.parametrize("split", ["train", "val"])
def test_images_to_learn_from_or_to_measure_on_need_annotations(read: Read, tmp_path: Path, split: str) -> None:
    for name in ("train", "val"):
        write_coco(tmp_path / f"{name}.json", tmp_path, 2)
    (tmp_path / f"{split}.json").write_text(json.dumps({"images": [{"id": 1, "file_name": "train-1.png"}]}))
    with pytest.raises(DataError, match=rf"{split}\.json is not a COCO annotation file: it has no list 'annotations'"):
        read()


VOC = "<annotation><object><name>cup</name><bndbox><xmin>2</xmin><ymin>3</ymin><xmax>11</xmax><ymax>14</ymax></bndbox>"


def write_voc(root: Path, count: int) -> None:
    for folder in ("Annotations", "JPEGImages"):
        (root / folder).mkdir()
    for number in range(count):
        Image.new("RGB", (40, 30)).save(root / "JPEGImages" / f"{number}.jpg")
        (root / "Annotations" / f"{number}.xml").write_text(f"{VOC}</object></annotation>", encoding="utf-8")
    (root / "Annotations" / "._0.xml").write_bytes(b"resource fork")


def test_a_test_list_of_voc_without_xml_files_is_left_out_and_its_images_are_predicted(
    read: Read, plan: MakePlan, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_voc(tmp_path, 4)
    lists = tmp_path / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("0\n1\n2\n3\n")
    (lists / "test.txt").write_text("t2\nt1\n")
    Image.new("RGB", (40, 30)).save(tmp_path / "JPEGImages" / "t2.png")
    keys = {"test_ann_file": "test.txt"}
    assert list(read(**keys)) == ["train", "val"]
    assert "the test split has no annotations in" in caplog.text
    folder = tmp_path / "JPEGImages"
    images = {1: folder / "t2.png", 2: folder / "t1.jpg"}
    assert DetectionData(plan(**keys)).list_unannotated_test() == images
    shutil.copy(tmp_path / "Annotations" / "0.xml", tmp_path / "Annotations" / "t2.xml")
    with pytest.raises(DataError, match=r"image 't1': Annotations/t1\.xml is missing"):
        read(**keys)


def test_a_test_list_without_label_maps_is_left_out_and_its_images_are_predicted(
    read: Read, plan: MakePlan, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    for name in "abt":
        Image.new("RGB", (40, 30)).save(tmp_path / "images" / f"{name}.png")
    for name in "ab":
        label = Image.new("L", (40, 30))
        label.paste(1, (5, 5, 15, 15))
        label.save(tmp_path / "labels" / f"{name}.png")
    (tmp_path / "train.txt").write_text("a\nb\n")
    (tmp_path / "test.txt").write_text("t\n")
    keys = {"train_ann_file": "train.txt", "test_ann_file": "test.txt", "class_list": ["cup"]}
    assert list(read("instance_segmentation", **keys)) == ["train", "val"]
    assert f"the test split has no annotations in {tmp_path / 'test.txt'}" in caplog.text
    images = SegmentationData(plan("instance_segmentation", **keys)).list_unannotated_test()
    assert images == {1: tmp_path / "images" / "t.png"}


def test_voc_without_a_list_of_validation_images_is_held_out(read: Read, tmp_path: Path) -> None:
    write_voc(tmp_path, 10)
    assert [len(split.images) for split in read().values()] == [9, 1]
    (tmp_path / "train.txt").write_text("1\n2\n3\n4\n", encoding="utf-8")
    assert [len(split.images) for split in read(DATA_SPLIT=0.5).values()] == [2, 2]
    (tmp_path / "val.txt").write_text("5\n", encoding="utf-8")
    assert [len(split.images) for split in read().values()] == [4, 1]


def test_voc_with_another_list_than_train_is_not_trained_on_all_of_it(read: Read, tmp_path: Path) -> None:
    write_voc(tmp_path, 4)
    (tmp_path / "ImageSets" / "Main").mkdir(parents=True)
    (tmp_path / "ImageSets" / "Main" / "val.txt").write_text("1\n", encoding="utf-8")
    with pytest.raises(
        InputError, match=r"train\.txt .* is missing. Name a list in train_ann_file; there are val\.txt"
    ):
        read()


def test_names_of_classes_decide_whatever_ids_a_split_has(read: Read, tmp_path: Path) -> None:
    write_coco(tmp_path / "train.json", tmp_path, 2)
    other = ({"id": 5, "name": "plate"}, {"id": 8, "name": "cup"})
    write_coco(tmp_path / "val.json", tmp_path, 1, other, (8, 8, 5))
    val = read()["val"]
    assert val.names == ("cup", "plate")
    assert val.label_of() == {8: 0, 5: 1}


def test_a_class_that_only_training_lists_has_no_object_in_validation(read: Read, tmp_path: Path) -> None:
    write_coco(tmp_path / "train.json", tmp_path, 2)
    write_coco(tmp_path / "val.json", tmp_path, 1, ({"id": 7, "name": "plate"},), (7,))
    val = read()["val"]
    assert val.names == ("cup", "plate")
    assert val.count_by_category()[val.categories[0].id] == 0


def test_a_class_that_training_lacks_is_named(read: Read, tmp_path: Path) -> None:
    write_coco(tmp_path / "train.json", tmp_path, 2)
    write_coco(tmp_path / "val.json", tmp_path, 1, (*CUP_AND_PLATE, {"id": 3, "name": "fork"}), (1, 3))
    with pytest.raises(DataError, match=r"val\.json: .*train\.json has no class 'fork'. Its classes: cup, plate"):
        read()


def test_keypoints_in_another_order_are_refused(read: Read, tmp_path: Path) -> None:
    for name, points in (("train", ["nose", "tail"]), ("val", ["tail", "nose"])):
        category = {"id": 1, "name": "cat", "keypoints": points}
        write_coco(tmp_path / f"{name}.json", tmp_path, 1, (category,), (1,))
        file = tmp_path / f"{name}.json"
        data = json.loads(file.read_text(encoding="utf-8"))
        data["annotations"][0]["keypoints"] = [5, 5, 2, 6, 6, 2]
        file.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(DataError, match=r"val\.json: class 'cat' has other keypoints, or in another order"):
        read("pose_detection", train_ann_file="train.json", val_ann_file="val.json")


def test_a_sample_of_images_sorted_by_class_has_every_class(read: Read, tmp_path: Path) -> None:
    categories = [{"id": number, "name": f"class {number}"} for number in range(1, 7)]
    for split in ("train", "val"):
        file = tmp_path / "annotations" / f"instances_{split}.json"
        write_coco(file, tmp_path / split, 12, categories, used=(1,))
        data = json.loads(file.read_text())
        for number, annotation in enumerate(data["annotations"]):
            annotation["category_id"] = 1 + number // 2
        file.write_text(json.dumps(data))
    found = read(MAX_TRAIN_SAMPLES=6, MAX_EVAL_SAMPLES=6, SEED=1)
    for split in ("train", "val"):
        assert sorted(found[split].count_by_category()) == [1, 2, 3, 4, 5, 6]
        assert len(found[split].images) == 6
    other = read(MAX_TRAIN_SAMPLES=6, SEED=2)
    assert [image.annotations for image in other["train"].images] != [i.annotations for i in found["train"].images]
