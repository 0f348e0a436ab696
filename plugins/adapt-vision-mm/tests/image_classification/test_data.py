"""Where images and labels come from, and what a bad image or folder leads to: its name, and exit code 2."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapt_core.errors import DataError, InputError

from ..pictures import COLOURS, counts, picture

Run = Callable[..., Any]


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
    assert rows.choice.targets.names == ("blue", "green", "red")


def test_splits_that_number_their_classes_apart_agree_by_name(read: Run, tmp_path: Path) -> None:
    import datasets

    for split, names in (("train", ["red", "green", "blue"]), ("validation", ["blue", "red"])):
        features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=names)})
        pixels = [{"bytes": encoded(name, number), "path": None} for number, name in enumerate(names)]
        table = datasets.Dataset.from_dict({"image": pixels, "label": list(range(len(names)))}, features=features)
        table.to_parquet(str(tmp_path / f"{split}.parquet"))
    rows = read(CUSTOM_DATASET_PATH=str(tmp_path))
    assert rows.choice.targets.names == ("red", "green", "blue")
    assert [rows.choice.targets.names[number] for number in rows.columns("validation")[1]] == ["blue", "red"]


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
    assert read(CUSTOM_DATASET_PATH=str(copy), SKIP_BAD_ROWS=True).choice.targets.names == ("blue", "green", "red")


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


@pytest.mark.parametrize("fault", ["class", "column"])
def test_a_check_tells_missing_classes_and_columns_before_torch_is_loaded(fault: str, copy: Path) -> None:
    config = {"TASK": "image_classification", "MODEL_PATH": "resnet18", "CUSTOM_DATASET_PATH": str(copy)}
    for name in ("green", "blue"):
        shutil.rmtree(copy / "train" / name)
    message = r"train \(train\) has only one class, the folder red; classification needs two or more"
    if fault == "column":
        (copy / "images.csv").write_text("image,colour\ntrain/red/0.jpg,red\n")
        config["CUSTOM_DATASET_PATH"] = str(copy / "images.csv")
        message = "target_column: the train split has no column 'label'; it has: image, colour."
    code = "import adapt_core, json, sys; adapt_core.check(json.loads(sys.argv[1]))"
    code = f"import atexit, sys; atexit.register(lambda: print('torch' in sys.modules)); {code}"
    done = subprocess.run([sys.executable, "-c", code, json.dumps(config)], capture_output=True, text=True, check=False)
    assert re.search(message, done.stderr)
    assert done.stdout == "False\n"


def test_a_fold_holds_out_images_of_each_class(prepared: Callable[..., Any], copy: Path) -> None:
    pytest.importorskip("sklearn", reason="FOLDS needs scikit-learn")
    shutil.rmtree(copy / "val")
    _, data, _ = prepared(CUSTOM_DATASET_PATH=str(copy), FOLDS=4, FOLD=2)
    assert (len(data.train), len(data.validation), len(data.row_numbers["validation"])) == (18, 6, 6)
    held = [Path(row["image"]) for row in data.rows["validation"]]
    assert sorted(path.parent.name for path in held) == sorted([*COLOURS, *COLOURS])
