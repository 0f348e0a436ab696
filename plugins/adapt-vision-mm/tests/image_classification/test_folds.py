"""FOLDS of images: a run for each fold, and predictions of all images by models that did not see them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ..pictures import COLOURS, picture

pytest.importorskip("sklearn", reason="FOLDS needs scikit-learn")

Run = Callable[..., Any]


def lines_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "predictions" / "out_of_fold.jsonl").open()]


@pytest.mark.slow
def test_each_image_is_predicted_by_the_model_that_did_not_see_it(run: Run, copy: Path) -> None:
    (copy / "train" / "green" / "3.jpg").write_bytes(b"")
    result = run(CUSTOM_DATASET_PATH=str(copy), FOLDS=2, SKIP_BAD_ROWS=True, OUTPUT_DIR=str(copy / ".." / "folds"))
    folder = copy.parent / "folds"
    lines = lines_of(folder)
    paths = sorted(copy.glob("train/*/*.jpg"))
    assert [(line["row"], line["data"]["image"]) for line in lines] == [
        (row, str(path)) for row, path in enumerate(paths, start=1) if row != 12
    ]
    assert all(line["data"]["label"] == Path(line["data"]["image"]).parent.name for line in lines)
    for fold in (1, 2):
        own = [line for line in lines if line["fold"] == fold]
        right = [line["predicted"]["label"] == line["data"]["label"] for line in own]
        held = json.loads((folder / f"fold-{fold}" / "result.json").read_text())["metrics"]["after"]["accuracy"]
        assert sum(right) / len(right) == pytest.approx(held)
        assert {sum(line["data"]["label"] == name for line in own) for name in COLOURS} <= {3, 4}
        assert result.folds["after"]["accuracy"]["values"][fold - 1] == held


@pytest.mark.slow
def test_several_data_sets_have_folds(run: Run, pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "table" / "files").mkdir(parents=True)
    names = ["red", "blue", "green"] * 2
    for number, name in enumerate(names):
        picture(name, number).save(tmp_path / "table" / "files" / f"{number}.png")
    rows = [{"image": f"files/{number}.png", "label": name} for number, name in enumerate(names)]
    (tmp_path / "table" / "train.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    places = [{"path": str(pictures), "name": "folders"}, {"path": str(tmp_path / "table"), "weight": 1}]
    result = run(CUSTOM_DATASET_PATH=places, FOLDS=2)
    lines = lines_of(tmp_path / "run")
    assert [line["row"] for line in lines] == list(range(1, 31))
    assert [line["data"]["label"] for line in lines[24:]] == names
    assert [Path(line["data"]["image"]).name for line in lines[24:]] == [f"{number}.png" for number in range(6)]
    assert "accuracy@table" in result.folds["after"]
