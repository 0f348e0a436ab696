"""Where images and labels come from, and what a bad image or folder leads to: its name, and exit code 2."""

from __future__ import annotations

import io
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapt_core.errors import DataError, InputError

from ..pictures import COLOURS, picture
from adapt_vision_mm.images.folders import find_split_folders

Run = Callable[..., Any]


@pytest.fixture
def copy(pictures: Path, tmp_path: Path) -> Path:
    """A copy of the pictures to spoil."""
    return Path(shutil.copytree(pictures, tmp_path / "data"))


@pytest.fixture
def read(keys: dict[str, Any]) -> Callable[..., Any]:
    """The rows of the config with changes, without a model."""
    from adapt_core.config.resolver import RunConfig, resolve
    from adapt_core.plugin.registry import Registry

    from adapt_vision_mm.image_classification.data import load_rows
    from adapt_vision_mm.image_classification.task import ImageClassification

    def rows(**changes: Any) -> Any:
        plan = resolve(RunConfig.read({**keys, **changes}), Registry.discover())
        ImageClassification(plan).check()
        return load_rows(plan)

    return rows


def counts(rows: Any) -> dict[str, int]:
    return {split: len(dataset) for split, dataset in rows.splits.items()}


# --- class folders -----------------------------------------------------------------------------------------------


def test_train_and_val_folders_with_classes_in_alphabetical_order(read: Run) -> None:
    rows = read()
    assert counts(rows) == {"train": 24, "validation": 12}
    assert rows.labels.names == ("blue", "green", "red")
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
    assert rows.labels.names == ("blue", "green", "red")
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


def test_split_folders_with_loose_images_are_not_taken_for_classes(copy: Path) -> None:
    import attrs

    from adapt_core.config.core_params import DataParams

    for image in sorted((copy / "train").rglob("*.jpg")):
        image.rename(copy / "train" / f"{image.parent.name}-{image.name}")
    for name in COLOURS:
        (copy / "train" / name).rmdir()
    with pytest.raises(InputError, match=r"train\) contains images, but no class folders"):
        find_split_folders(attrs.evolve(DataParams(), custom_dataset_path=str(copy)))


def test_a_class_that_is_called_train_is_a_class(copy: Path) -> None:
    import attrs

    from adapt_core.config.core_params import DataParams

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
    assert "run" not in read(CUSTOM_DATASET_PATH=str(copy)).labels.names


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


# --- tables ------------------------------------------------------------------------------------------------------


def encoded(name: str, seed: int) -> bytes:
    file = io.BytesIO()
    picture(name, seed).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("kind", ["save_to_disk", "parquet", "columns", "paths"])
def test_tables_with_an_image_column(read: Run, tmp_path: Path, pictures: Path, kind: str) -> None:
    import datasets

    names = list(COLOURS) * 4
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=list(COLOURS))})
    pixels = [{"bytes": encoded(name, number), "path": None} for number, name in enumerate(names)]
    table = datasets.Dataset.from_dict({"image": pixels, "label": [n % 3 for n in range(12)]}, features=features)
    folder = tmp_path / "table"
    changes: dict[str, Any] = {}
    if kind == "save_to_disk":
        datasets.DatasetDict({"train": table, "validation": table}).save_to_disk(str(folder))
    elif kind == "paths":
        folder.mkdir()
        shutil.copytree(pictures / "train", folder / "files")
        rows = [{"file": f"files/{name}/{n}.jpg", "kind": name} for name in COLOURS for n in range(4)]
        for split in ("train", "validation"):
            (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        changes = {"input_column": "file", "target_column": "kind"}
    else:
        folder.mkdir()
        if kind == "columns":
            table = table.rename_columns({"image": "img", "label": "fine"})
            changes = {"dataset_text_field": "img", "target_column": "fine"}
        table.to_parquet(str(folder / "train.parquet"))
        table.to_parquet(str(folder / "validation.parquet"))
    rows = read(CUSTOM_DATASET_PATH=str(folder), **changes)
    assert counts(rows) == {"train": 12, "validation": 12}
    assert rows.labels.names == ("blue", "green", "red")


def test_splits_that_number_their_classes_apart_agree_by_name(read: Run, tmp_path: Path) -> None:
    import datasets

    for split, names in (("train", ["red", "green", "blue"]), ("validation", ["blue", "red"])):
        features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=names)})
        pixels = [{"bytes": encoded(name, number), "path": None} for number, name in enumerate(names)]
        table = datasets.Dataset.from_dict({"image": pixels, "label": list(range(len(names)))}, features=features)
        table.to_parquet(str(tmp_path / f"{split}.parquet"))
    rows = read(CUSTOM_DATASET_PATH=str(tmp_path))
    assert rows.labels.names == ("red", "green", "blue")
    assert [rows.labels.names[number] for number in rows.columns("validation")[1]] == ["blue", "red"]


def test_a_table_of_images_trains(run: Run, tmp_path: Path) -> None:
    import datasets

    pixels = [{"bytes": encoded(name, n), "path": None} for n, name in enumerate(list(COLOURS) * 4)]
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=list(COLOURS))})
    table = datasets.Dataset.from_dict({"image": pixels, "label": [n % 3 for n in range(12)]}, features=features)
    table.save_to_disk(str(tmp_path / "table"))
    result = run(CUSTOM_DATASET_PATH=str(tmp_path / "table"), DATA_SPLIT=0.25, NUM_WORKERS=2, BATCH_SIZE=3)
    assert result.data["train_rows"] == 9


def test_a_column_that_is_no_image_is_named(read: Run, tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text('{"image": 1, "label": 0}\n{"image": 2, "label": 1}\n')
    with pytest.raises(DataError, match=r"column 'image' contains Value.*neither images nor image paths"):
        read(CUSTOM_DATASET_PATH=str(tmp_path / "train.jsonl"))
    with pytest.raises(DataError, match="no column 'picture'; it has: image, label"):
        read(CUSTOM_DATASET_PATH=str(tmp_path / "train.jsonl"), input_column="picture")


# --- bad input ---------------------------------------------------------------------------------------------------


def spoil(copy: Path, how: str) -> Path:
    path = copy / "train" / "green" / "3.jpg"
    whole = path.read_bytes()
    path.write_bytes({"empty": b"", "cut": whole[: len(whole) // 2], "html": b"<html>"}[how])
    return path


@pytest.mark.parametrize("how", ["empty", "cut", "html"])
def test_a_broken_image_is_named_before_the_model_loads(read: Run, copy: Path, how: str) -> None:
    path = spoil(copy, how)
    with pytest.raises(DataError, match=f"train row 12: {path}") as error:
        read(CUSTOM_DATASET_PATH=str(copy))
    assert "SKIP_BAD_ROWS=true" in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_skip_bad_rows_drops_and_counts(read: Run, copy: Path) -> None:
    spoil(copy, "cut")
    (copy / "val" / "red" / "0.jpg").write_bytes(b"")
    rows = read(CUSTOM_DATASET_PATH=str(copy), SKIP_BAD_ROWS=True)
    assert (rows.stats["train_dropped"], rows.stats["validation_dropped"]) == (1, 1)
    assert counts(rows) == {"train": 23, "validation": 11}


def test_an_image_that_proves_broken_while_training_is_named(
    run: Run, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from adapt_vision_mm.image_classification import data

    path = spoil(copy, "cut")
    monkeypatch.setattr(data, "DECODED_BYTES", 0)
    for workers in (0, 2):
        with pytest.raises(DataError, match=f"{path}: cannot be decoded") as error:
            run(CUSTOM_DATASET_PATH=str(copy), NUM_WORKERS=workers, OVERWRITE_OUTPUT_DIR=True)
        assert len(str(error.value).splitlines()) == 1


def test_an_empty_class_folder_is_named_or_left_out(read: Run, copy: Path) -> None:
    (copy / "train" / "yellow").mkdir()
    with pytest.raises(DataError, match="train/yellow has no images"):
        read(CUSTOM_DATASET_PATH=str(copy))
    assert read(CUSTOM_DATASET_PATH=str(copy), SKIP_BAD_ROWS=True).labels.names == ("blue", "green", "red")


@pytest.mark.parametrize("name", [b"\xff", b"red/\xff.jpg"])
def test_a_name_that_is_not_utf_8_is_said(read: Run, copy: Path, name: bytes) -> None:
    old = copy / "train" / "red" if b"/" not in name else next((copy / "train" / "red").glob("*.jpg"))
    try:
        os.rename(old, os.fsencode(copy / "train") + b"/" + name)
    except OSError:
        pytest.skip("this file system takes names in UTF-8 alone")
    with pytest.raises(InputError, match=r"is not UTF-8\. Rename it"):
        read(CUSTOM_DATASET_PATH=str(copy))


def test_a_class_only_in_validation_is_named(read: Run, copy: Path) -> None:
    shutil.copytree(copy / "val" / "red", copy / "val" / "yellow")
    with pytest.raises(DataError, match=r"val/yellow/0\.jpg: label 'yellow' never occurs in the training split"):
        read(CUSTOM_DATASET_PATH=str(copy))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"CUSTOM_DATASET_PATH": "{data}/train/red"}, "contains images, but no class folders"),
        ({"CUSTOM_DATASET_PATH": "{data}/nowhere"}, "does not exist"),
        ({"VAL_DIR": "nowhere"}, "VAL_DIR: nowhere does not exist"),
        ({"FORMAT_STRING": "{{a}}"}, "FORMAT_STRING builds a text"),
        ({"CLASS_WEIGHTS": "equal"}, "CLASS_WEIGHTS must be balanced or a mapping"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_is_no_data_is_said(read: Run, copy: Path, changes: dict[str, str], message: str) -> None:
    filled = {key: value.format(data=copy) for key, value in changes.items()}
    with pytest.raises(InputError, match=message):
        read(**{"CUSTOM_DATASET_PATH": str(copy), **filled})


def test_a_last_batch_of_one_image_that_batch_norm_cannot_train_on_is_explained(run: Run) -> None:
    with pytest.raises(InputError, match=r"BatchNorm cannot train on a batch of 1 .* the 17 training images"):
        run(MAX_TRAIN_SAMPLES=17, DO_EVAL=False)


def test_one_class_is_not_enough(read: Run, copy: Path) -> None:
    for name in ("green", "blue"):
        shutil.rmtree(copy / "train" / name)
    with pytest.raises(DataError, match="has only one class"):
        read(CUSTOM_DATASET_PATH=str(copy))
