"""Layouts that the documentation of the previous tool (nyuntam_adapt) names."""

from __future__ import annotations

from pathlib import Path

import numpy
import pytest

pytest.importorskip("PIL")
pytest.importorskip("pycocotools")

from PIL import Image

from .coco_files import PERSON, write_coco
from .conftest import Read
from .exports import save, write


@pytest.mark.parametrize("name", ["_annotations.coco.json", "annotations_coco.json"])
@pytest.mark.parametrize("validation", ["val", "valid", "validation"])
def test_a_folder_for_each_split_holds_images_and_its_json(
    read: Read, tmp_path: Path, name: str, validation: str
) -> None:
    for folder, count in (("train", 3), (validation, 2), ("test", 1)):
        write_coco(tmp_path / folder / name, tmp_path / folder, count)
    found = read()
    assert {split: len(one.images) for split, one in found.items()} == {"train": 3, "val": 2, "test": 1}
    assert {one.images[0].path.parent.name for one in found.values()} == {"train", validation, "test"}


def test_coco_has_folders_of_images_and_of_annotations(read: Read, tmp_path: Path) -> None:
    for split, count in (("train", 3), ("val", 2)):
        write_coco(tmp_path / "annotations" / f"instances_{split}2017.json", tmp_path / f"{split}2017", count)
    assert {split: len(one.images) for split, one in read().items()} == {"train": 3, "val": 2}


@pytest.mark.parametrize("root", ["", "VOCdevkit", "VOCdevkit/VOC2012"])
def test_voc_without_lists_holds_a_share_out(read: Read, tmp_path: Path, root: str) -> None:
    """With or without the folders that VOC's archives unpack to."""
    home = tmp_path / "VOCdevkit" / "VOC2012"
    box = "<bndbox><xmin>2</xmin><ymin>3</ymin><xmax>12</xmax><ymax>15</ymax></bndbox>"
    for number in range(10):
        save(home / "JPEGImages" / f"{number}.jpg")
        write(
            home / "Annotations" / f"{number}.xml",
            f"<annotation><object><name>cat</name>{box}</object></annotation>",
        )
    found = read(CUSTOM_DATASET_PATH=str(tmp_path / root), DATA_SPLIT=0.2)
    assert {split: len(one.images) for split, one in found.items()} == {"train": 8, "val": 2}
    assert found["train"].images[0].annotations[0]["bbox"] == [1.0, 2.0, 11.0, 13.0]


@pytest.mark.parametrize(
    ("images", "maps", "lists"),
    [
        ("images", "labels", "splits"),
        ("JPEGImages", "SegmentationObject", "ImageSets/Segmentation"),
        ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"),
    ],
)
def test_label_maps_lie_beside_their_images(read: Read, tmp_path: Path, images: str, maps: str, lists: str) -> None:
    pixels = numpy.zeros((32, 64), dtype="uint8")
    pixels[4:20, 8:24] = 1
    for name in ("a", "b"):
        save(tmp_path / images / f"{name}.jpg")
        (tmp_path / maps).mkdir(exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / maps / f"{name}.png")
    for split, name in (("train", "a"), ("val", "b")):
        write(tmp_path / lists / f"{split}.txt", f"{name}\n")
    found = read("instance_segmentation", class_list=["cat"])
    assert {split: one.images[0].path.name for split, one in found.items()} == {"train": "a.jpg", "val": "b.jpg"}
    assert found["train"].images[0].annotations[0]["bbox"] == [8.0, 4.0, 16.0, 16.0]


def test_poses_have_folders_of_splits_within_images(read: Read, tmp_path: Path) -> None:
    for split, count in (("train", 3), ("val", 2)):
        images = tmp_path / "images" / f"{split}2017"
        write_coco(tmp_path / "annotations" / f"person_keypoints_{split}2017.json", images, count, PERSON, (1,))
    found = read("pose_detection", augment=False)
    assert {split: len(one.images) for split, one in found.items()} == {"train": 3, "val": 2}
