"""DO_PREDICT: the images of the test split, in class folders or without classes, are predicted when the run ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import adapt_core
from adapt_core.errors import BadInputsError

from ..pictures import picture

Run = Callable[..., Any]


def predicted(result: Any) -> list[dict[str, Any]]:
    lines = (Path(result.output_dir) / "predictions" / "test.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture
def unlabelled(copy: Path) -> list[Path]:
    """Images in test/, without class folders; the second is truncated."""
    (copy / "test").mkdir()
    files = [copy / "test" / f"{number}.png" for number in range(4)]
    for number, file in enumerate(files):
        picture("red", number).save(file)
    files[1].write_bytes(files[1].read_bytes()[:-300])
    return files


def test_a_folder_of_images_without_classes(
    run: Run, copy: Path, unlabelled: list[Path], caplog: pytest.LogCaptureFixture
) -> None:
    given = {"CUSTOM_DATASET_PATH": str(copy)}
    plain = run(**given)
    assert plain.metrics["test"] is None
    assert "the test split has no class folders, so it is left out of the evaluation. DO_PREDICT: true" in caplog.text
    result = run(**given, DO_PREDICT=True, resume=True)
    found = predicted(result)
    assert [row["image"].rpartition("/")[2] for row in found] == ["0.png", "1.png", "2.png", "3.png"]
    assert "cannot be decoded" in found[1]["error"]
    assert "the test split: row 2 has no prediction: " in caplog.text
    good = [found[0], *found[2:]]
    assert all(Path(row["drawn"]).is_file() for row in good)
    again = adapt_core.predict(result, [unlabelled[number] for number in (0, 2, 3)])
    assert [(row["label"], row["score"]) for row in good] == [(row["label"], row["score"]) for row in again]


def test_the_damaged_images_of_all_batches_are_told_at_once(tmp_path: Path) -> None:
    """One at a time, each would cost another pass over the images."""
    import torch
    from torchvision.transforms.functional import pil_to_tensor

    from adapt_vision_mm.image_classification.predict import classify_files
    from adapt_vision_mm.image_classification.problems import OneClass

    files = [tmp_path / f"{number}.png" for number in range(1, 101)]
    for number, file in enumerate(files):
        picture("red", number, (8, 8)).save(file)
    for number in (40, 70, 100):
        files[number - 1].write_bytes(files[number - 1].read_bytes()[:-60])
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(8 * 8 * 3, 2)).eval()
    with pytest.raises(BadInputsError, match=r"input 40: .*40\.png cannot be decoded .*2 more inputs") as caught:
        classify_files(model, pil_to_tensor, OneClass(names=("a", "b")), files, tmp_path / "drawn")
    assert list(caught.value.faults) == [40, 70, 100]


def test_class_folders_and_a_list_of_images(run: Run, copy: Path, tmp_path: Path, unlabelled: list[Path]) -> None:
    result = run(CUSTOM_DATASET_PATH=str(copy), TEST_DIR="val", DO_PREDICT=True)
    assert result.metrics["test"]["accuracy"] >= 0
    assert len(predicted(result)) == 12
    (copy / "later.txt").write_text("test/0.png\ntest/3.png\n", encoding="utf-8")
    other = {"OUTPUT_DIR": str(tmp_path / "other"), "TEST_DIR": "later.txt", "DO_PREDICT": True}
    result = run(CUSTOM_DATASET_PATH=str(copy), **other)
    assert [row["image"].rpartition("/")[2] for row in predicted(result)] == ["0.png", "3.png"]


@pytest.mark.parametrize("as_bytes", [False, True])
def test_a_table_whose_test_rows_have_no_label(run: Run, pictures: Path, tmp_path: Path, as_bytes: bool) -> None:
    def value(file: Path) -> Any:
        return file.read_bytes() if as_bytes else str(file.relative_to(pictures))

    files = sorted((pictures / "train").rglob("*.jpg"))
    data = {
        "train": [{"photo": value(file), "label": file.parent.name} for file in files],
        "test": [{"id": 5, "photo": value(files[0])}, {"id": 6, "photo": None}, {"id": 7, "photo": value(files[-1])}],
    }
    import datasets

    for split, rows in data.items():
        datasets.Dataset.from_list(rows).to_parquet(tmp_path / "table" / f"{split}.parquet")
    for split in ("train", "val"):
        (tmp_path / "table" / split).symlink_to(pictures / split)
    table = {
        f"{key}_DIR": str(tmp_path / "table" / f"{split}.parquet")
        for key, split in (("TRAIN", "train"), ("TEST", "test"))
    }
    result = run(**table, CUSTOM_DATASET_PATH=None, input_column="photo", DO_PREDICT=True)
    first, missing, last = predicted(result)
    assert [row["id"] for row in (first, missing, last)] == [5, 6, 7]
    assert {first["label"], last["label"]} <= {"blue", "green", "red"}
    assert "image" in missing["error"]
