"""YOLO's labels, which are recognised and refused, and what is not taken for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapt_core.errors import InputError

pytest.importorskip("PIL")
pytest.importorskip("pycocotools")

from adapt_vision_mm.annotations.formats import read_split
from adapt_vision_mm.annotations.formats.contract import ReadOptions
from adapt_vision_mm.annotations.sources import SplitName, SplitNotFoundError, SplitSource


def source_of(root: Path, split: SplitName = "train") -> SplitSource:
    """A split of a folder without an annotation file."""
    name = f"{split}.json"
    return SplitSource(split=split, root=root, image_folder=None, name=name, searched=(root / name,), file=None)


@pytest.mark.parametrize(
    "files",
    [
        {"data.yaml": "train: images/train\nval: images/val\nnames: [cell]\n"},
        {"labels/train/a.txt": "0 0.5 0.5 0.2 0.1\n1 0.1 0.1 0.05 0.05\n"},
        {"train/labels/a.txt": "0 0.1 0.1 0.2 0.1 0.2 0.2\n", "train/images/a.jpg": ""},
    ],
)
def test_yolo_s_labels_are_recognised_and_what_is_read_is_said(tmp_path: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    source = source_of(tmp_path)
    with pytest.raises(
        InputError, match=r"YOLO data set.* not read\. Convert them into COCO JSON or Pascal VOC"
    ) as told:
        read_split(source, "boxes", ReadOptions(skip=False))
    assert next(iter(files)) in str(told.value)


def test_other_texts_are_no_yolo_labels(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("a\nb\n")
    (tmp_path / "config.yaml").write_text("names: [a]\n")
    source = source_of(tmp_path)
    with pytest.raises(SplitNotFoundError, match="was not found"):
        read_split(source, "boxes", ReadOptions(skip=False))


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_stray_data_yaml_beside_coco_json_makes_no_yolo_data_set(tmp_path: Path, split: SplitName) -> None:
    (tmp_path / "data.yaml").write_text("train: images/train\nval: images/val\nnames: [cell]\n")
    (tmp_path / "boxes.json").write_text("{}")
    with pytest.raises(SplitNotFoundError, match=rf"{split}_ann_file: {split}\.json was not found"):
        read_split(source_of(tmp_path, split), "boxes", ReadOptions(skip=False))


def test_a_validation_split_that_is_missing_is_held_out_whatever_else_is_there(tmp_path: Path) -> None:
    (tmp_path / "data.yaml").write_text("train: images/train\nval: images/val\nnames: [cell]\n")
    with pytest.raises(SplitNotFoundError, match="was not found"):
        read_split(source_of(tmp_path, "val"), "boxes", ReadOptions(skip=False))
