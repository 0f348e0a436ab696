"""Class folders: which are splits and classes, what is left out, and what is said of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from adapt_core.config.core_params.data import DataParams
from adapt_core.errors import InputError

from ..pictures import COLOURS, counts, picture
from adapt_vision_mm.images.folders import find_split_folders, find_unlabelled_test

Run = Callable[..., Any]


def test_train_and_val_folders_with_classes_in_alphabetical_order(read: Run) -> None:
    rows = read()
    assert counts(rows) == {"train": 24, "validation": 12}
    assert rows.choice.targets.names == ("blue", "green", "red")
    assert rows.stats["train_dropped"] == 0


@pytest.mark.parametrize("hidden", [".ipynb_checkpoints", "@eaDir", "__MACOSX", "$RECYCLE.BIN"])
def test_hidden_and_system_folders_are_left_out_and_counted(
    read: Run, copy: Path, caplog: pytest.LogCaptureFixture, hidden: str
) -> None:
    inner = copy / "train" / "red" / hidden
    shutil.copytree(copy / "train" / "red", inner)
    shutil.copytree(copy / "train" / "blue", copy / "train" / hidden)  # no class either
    (copy / "train" / "red" / "._0.jpg").write_bytes(b"resource fork")
    rows = read(CUSTOM_DATASET_PATH=str(copy))
    assert counts(rows) == {"train": 24, "validation": 12}
    assert rows.choice.targets.names == ("blue", "green", "red")
    assert "9 images in hidden or system folders, or hidden themselves, are skipped" in caplog.text


def test_a_folder_of_a_system_beside_the_splits_is_no_split(read: Run, copy: Path) -> None:
    shutil.copytree(copy / "train", copy / "@eaDir")
    assert counts(read(CUSTOM_DATASET_PATH=str(copy))) == {"train": 24, "validation": 12}


def test_one_folder_of_classes_is_split_by_data_split(read: Run, copy: Path) -> None:
    rows = read(CUSTOM_DATASET_PATH=str(copy / "train"), DATA_SPLIT=0.25)
    assert counts(rows) == {"train": 18, "validation": 6}
    held = [Path(path).parent.name for path in rows.splits["validation"]["image"]]
    assert {held.count(name) for name in COLOURS} == {2}


def test_train_dir_val_dir_and_test_dir_name_the_folders(read: Run, copy: Path) -> None:
    (copy / "train").rename(copy / "one")
    rows = read(CUSTOM_DATASET_PATH=str(copy), TRAIN_DIR="one", VAL_DIR=str(copy / "val"), TEST_DIR="val")
    assert counts(rows) == {"train": 24, "validation": 12, "test": 12}


def test_max_samples_limit_the_rows(read: Run) -> None:
    assert counts(read(MAX_TRAIN_SAMPLES=10, MAX_EVAL_SAMPLES=5)) == {"train": 10, "validation": 5}


@pytest.mark.parametrize(
    ("split", "changes", "size"),
    [("train", {"MAX_TRAIN_SAMPLES": 6}, 6), ("validation", {"MAX_EVAL_SAMPLES": 4}, 4)],
)
def test_a_sample_of_images_sorted_by_class_is_random_and_has_every_class(
    read: Run, split: str, changes: dict[str, int], size: int
) -> None:
    every = read().splits[split]["image"][:]
    one, again, other = (read(**changes, SEED=seed).splits[split] for seed in (1, 1, 2))
    assert len(one) == size
    assert set(one["label"]) == set(COLOURS)
    assert one["image"][:] == again["image"][:] != other["image"][:]
    assert every[:size] not in (one["image"][:], other["image"][:])


def test_images_are_held_out_at_random(read: Run, copy: Path) -> None:
    shutil.rmtree(copy / "val")
    one, again, other = (
        read(CUSTOM_DATASET_PATH=str(copy), DATA_SPLIT=0.25, SEED=seed).splits["validation"]["image"][:]
        for seed in (1, 1, 2)
    )
    assert sorted(one) == sorted(again) != sorted(other)
    for held in (one, other):
        names = sorted(Path(path).parent.name for path in held)
        assert names == sorted([*COLOURS] * 2)
        last = {str(path) for name in COLOURS for path in sorted((copy / "train" / name).iterdir())[-2:]}
        first = {str(path) for name in COLOURS for path in sorted((copy / "train" / name).iterdir())[:2]}
        assert set(held) not in (first, last)


def test_split_folders_with_loose_images_are_not_taken_for_classes(copy: Path) -> None:
    for image in sorted((copy / "train").rglob("*.jpg")):
        image.rename(copy / "train" / f"{image.parent.name}-{image.name}")
    for name in COLOURS:
        (copy / "train" / name).rmdir()
    with pytest.raises(InputError, match=r"train\) contains images, but no class folders"):
        find_split_folders(attrs.evolve(DataParams(), custom_dataset_path=str(copy)))


def test_a_class_that_is_called_train_is_a_class(copy: Path) -> None:
    (copy / "train" / "red").rename(copy / "train" / "train")
    data = attrs.evolve(DataParams(), custom_dataset_path=str(copy / "train"))
    assert find_split_folders(data) == {"train": copy / "train"}


def test_other_files_and_deeper_folders(read: Run, copy: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    (copy / "train" / "red" / "notes.txt").write_text("x")
    (copy / "train" / "red" / ".DS_Store").write_text("x")
    (copy / "train" / "red" / "more").mkdir()
    picture("red", 5).save(copy / "train" / "red" / "more" / "deep.PNG")
    assert counts(read(CUSTOM_DATASET_PATH=str(copy)))["train"] == 25
    assert "1 files that are not images are skipped (notes.txt" in caplog.text


def test_pictures_of_a_run_folder_are_no_data(read: Run, copy: Path) -> None:
    for place in ("train/red/run", "train/red/more/run", "train/run", "run"):
        drawn = copy / place / "predictions" / "drawn.png"
        drawn.parent.mkdir(parents=True)
        picture("red", 5).save(drawn)
        (copy / place / ".adapt-run.json").write_text("{}")
    whole = counts(read(CUSTOM_DATASET_PATH=str(copy)))
    assert whole["train"] == 24
    assert "run" not in read(CUSTOM_DATASET_PATH=str(copy)).choice.targets.names


def test_images_outside_the_class_folders_are_counted(read: Run, copy: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("a.jpg", "b.jpg"):
        picture("red", 5).save(copy / "train" / name)
    picture("red", 5).save(copy / "c.jpg")
    assert counts(read(CUSTOM_DATASET_PATH=str(copy)))["train"] == 24
    said = [record.getMessage() for record in caplog.records if "are in no class folder" in record.getMessage()]
    assert [line.rpartition("/")[2] for line in said] == [
        "data: 1 images are in no class folder and are skipped (c.jpg)",
        "train: 2 images are in no class folder and are skipped (a.jpg, ...)",
    ]


@pytest.mark.parametrize(
    ("train", "test", "changes"),
    [
        ("train", "test", {}),
        ("training", "test", {}),
        ("Training", "Testing", {}),
        ("train", "test", {"TRAIN_DIR": "train"}),
        ("spring", "test", {"TRAIN_DIR": "spring", "VAL_DIR": "val"}),
        ("sets/train", "sets/test", {"TRAIN_DIR": "sets/train", "VAL_DIR": "val"}),
        ("spring", "later", {"TRAIN_DIR": "spring", "TEST_DIR": "later"}),
    ],
)
def test_a_flat_test_folder_beside_the_training_folder_is_found(
    read: Run, copy: Path, caplog: pytest.LogCaptureFixture, train: str, test: str, changes: dict[str, str]
) -> None:
    (copy / "sets").mkdir()
    (copy / "train").rename(copy / "moved")
    (copy / "moved").rename(copy / train)
    (copy / test).mkdir()
    picture("red", 1).save(copy / test / "0.png")
    data = attrs.evolve(DataParams(), custom_dataset_path=str(copy), **{k.lower(): v for k, v in changes.items()})
    assert find_unlabelled_test(data) == copy / test
    assert set(find_split_folders(data) or {}) <= {"train", "validation"}
    assert counts(read(CUSTOM_DATASET_PATH=str(copy), **changes))["train"] > 0
    assert "the test split has no class folders, so it is left out of the evaluation" in caplog.text


@pytest.mark.parametrize(
    ("train", "changes"),
    [
        ("train", {"CUSTOM_DATASET_PATH": "data"}),
        ("train", {"TRAIN_DIR": "data/train"}),
        ("train", {"CUSTOM_DATASET_PATH": "data", "TRAIN_DIR": "train"}),
        ("spring", {"CUSTOM_DATASET_PATH": "data", "TRAIN_DIR": "spring"}),
        ("train", {"TRAIN_DIR": "data/train", "VAL_DIR": "data/val"}),
    ],
)
def test_splits_of_class_folders_are_found_beside_the_training_folder(
    read: Run, copy: Path, train: str, changes: dict[str, str]
) -> None:
    (copy / "train").rename(copy / train)
    shutil.copytree(copy / "val", copy / "test")
    picture("red", 9).save(copy / "test" / "red" / "more.png")
    absolute = {key: value.replace("data", str(copy)) for key, value in changes.items()}
    assert counts(read(**{"CUSTOM_DATASET_PATH": None, **absolute})) == {"train": 24, "validation": 12, "test": 13}


def test_a_folder_that_holds_another_split_or_tables_is_no_split_beside_the_training_folder(
    read: Run, copy: Path
) -> None:
    (copy / "test").mkdir()
    (copy / "val").rename(copy / "test" / "late")
    inner = {"TRAIN_DIR": str(copy / "train"), "VAL_DIR": str(copy / "test" / "late")}
    assert counts(read(CUSTOM_DATASET_PATH=None, **inner)) == {"train": 24, "validation": 12}
    as_test = {"TRAIN_DIR": str(copy / "train"), "VAL_DIR": str(copy / "test")}
    (copy / "test" / "late").rename(copy / "moved")
    (copy / "test").rmdir()
    (copy / "moved").rename(copy / "test")
    assert counts(read(CUSTOM_DATASET_PATH=None, **as_test)) == {"train": 24, "validation": 12}
    (copy / "test" / "rows.csv").write_text("image,label\n", encoding="utf-8")
    assert set(counts(read(CUSTOM_DATASET_PATH=None, TRAIN_DIR=str(copy / "train")))) == {"train", "validation"}


def test_images_in_one_folder_below_test_are_no_split_beside_the_training_folder(read: Run, copy: Path) -> None:
    """Keras reads unlabelled images from a folder `unknown`, which is no class of the training folder."""
    (copy / "test" / "unknown").mkdir(parents=True)
    picture("red", 1).save(copy / "test" / "unknown" / "0.jpg")
    keys = {"TRAIN_DIR": str(copy / "train"), "VAL_DIR": str(copy / "val")}
    assert counts(read(CUSTOM_DATASET_PATH=None, **keys)) == {"train": 24, "validation": 12}


@pytest.mark.parametrize("other", ["eval", "validation"])
@pytest.mark.parametrize("key", ["CUSTOM_DATASET_PATH", "TRAIN_DIR"])
def test_of_several_folders_of_a_split_the_first_with_classes_is_taken(
    read: Run, copy: Path, caplog: pytest.LogCaptureFixture, other: str, key: str
) -> None:
    caplog.set_level("INFO")
    (copy / other).mkdir()
    picture("red", 1).save(copy / other / "0.jpg")
    keys = {"CUSTOM_DATASET_PATH": None, key: str(copy if key == "CUSTOM_DATASET_PATH" else copy / "train")}
    assert counts(read(**keys)) == {"train": 24, "validation": 12}
    said = f"VAL_DIR is not set: {copy / 'val'} is read, which lies beside TRAIN_DIR"
    assert caplog.text.count(said) == (1 if key == "TRAIN_DIR" else 0)


def test_a_folder_beside_training_images_of_another_name_and_place_is_no_split(copy: Path, tmp_path: Path) -> None:
    (tmp_path / "test").mkdir()
    picture("red", 1).save(tmp_path / "test" / "0.png")
    (copy / "train").rename(tmp_path / "pictures")
    pictures = str(tmp_path / "pictures")
    named = attrs.evolve(DataParams(), custom_dataset_path=str(copy), train_dir=pictures)
    assert find_unlabelled_test(named) is None
    assert find_unlabelled_test(attrs.evolve(DataParams(), custom_dataset_path=pictures)) is None
