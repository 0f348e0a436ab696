"""ALSO_EVALUATE: further sets of annotated images are scored before and after training."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapt_core.errors import DataError, InputError

pytest.importorskip("mmdet", reason="needs adapt-vision-mm[detection]")

Run = Callable[..., Any]


def renumbered(squares: Path, folder: Path, count: int = 8) -> Path:
    """The first images under other ids of classes, in another order, and one more with a class of its own."""
    shutil.copytree(squares, folder)
    data = json.loads((folder / "val.json").read_text())
    data["categories"] = [{"id": 1, "name": "blue"}, {"id": 2, "name": "grey"}, {"id": 3, "name": "red"}]
    new = {4: 3, 9: 1}
    kept = [one for one in data["annotations"] if one["image_id"] <= count + 1]
    data["annotations"] = [{**one, "category_id": new[one["category_id"]]} for one in kept]
    data["annotations"][-1]["category_id"] = 2
    data["images"] = data["images"][: count + 1]
    for name in ("train.json", "val.json"):
        (folder / name).unlink()
    (folder / "test.json").write_text(json.dumps(data))
    return folder


def test_a_further_set_is_scored_as_a_run_on_it_alone_scores_it(run: Run, squares: Path, tmp_path: Path) -> None:
    other = renumbered(squares, tmp_path / "other")
    learns = {"EPOCHS": 20, "augment": False, "INTERVAL": "no"}
    (other / "annotations").mkdir()
    shutil.copy(other / "test.json", other / "annotations" / "instances.json")
    places = [str(other), {"path": str(other / "annotations" / "instances.json"), "name": "file"}]
    result = run(**learns, ALSO_EVALUATE=places)
    assert result.data["also"]["other"]["images"] == 8
    assert result.data["also"]["other"]["dropped"] == {"objects of another class": 1}
    assert result.also["other"] == result.also["file"]
    assert result.also["other"]["after"]["AP50"] > result.also["other"]["before"]["AP50"]
    low, high = result.intervals["also other"]["AP50"]
    assert low <= result.also["other"]["after"]["AP50"] <= high

    plain = run(**learns, OUTPUT_DIR=str(tmp_path / "plain"))
    assert plain.metrics == result.metrics

    data = json.loads((other / "test.json").read_text())
    data["images"] = data["images"][:8]
    data["annotations"] = [one for one in data["annotations"] if one["image_id"] <= 8]
    (other / "val.json").write_text(json.dumps({**data, "categories": data["categories"]}))
    for name in ("val.json", "train.json"):
        (other / name).write_text(
            json.dumps({**data, "categories": [one for one in data["categories"] if one["name"] != "grey"]})
        )
    base = {"MODEL_PATH": str(tmp_path / "run" / "model"), "cfg_options": None, "CUSTOM_DATASET_PATH": str(other)}
    own = run(**base, DO_TRAIN=False, OUTPUT_DIR=str(tmp_path / "own"))
    assert own.metrics["before"] == pytest.approx(result.also["other"]["after"], abs=0.02)


def test_what_cannot_be_scored_is_told_before_the_model_is_built(run: Run, squares: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere"):
        run(ALSO_EVALUATE=[str(tmp_path / "nowhere")])
    with pytest.raises(InputError, match=r"have no columns"):
        run(ALSO_EVALUATE=[{"path": str(squares), "columns": {"a": "b"}}])
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"empty: ALSO_EVALUATE: it has no annotations of objects"):
        run(ALSO_EVALUATE=[str(tmp_path / "empty")])
    strange = renumbered(squares, tmp_path / "strange")
    text = (strange / "test.json").read_text().replace('"blue"', '"green"').replace('"red"', '"violet"')
    (strange / "test.json").write_text(text)
    with pytest.raises(DataError, match=r"ALSO_EVALUATE: no image of .*strange can be scored: .*'violet'"):
        run(ALSO_EVALUATE=[str(strange)])
