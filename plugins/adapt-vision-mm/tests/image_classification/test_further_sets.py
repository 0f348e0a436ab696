"""ALSO_EVALUATE: further sets of images are scored before and after training, as a run on them alone scores them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy
import pytest

from adapt_core.errors import DataError, InputError

from ..pictures import picture

Run = Callable[..., Any]


def folders(place: Path, count: int = 4) -> Path:
    """Write class folders of pictures, and one of a class that the run does not have."""
    for name in ("blue", "green", "red"):
        (place / "val" / name).mkdir(parents=True)
        for number in range(count):
            picture(name, 100 + number).save(place / "val" / name / f"{number}.png")
    (place / "val" / "grey").mkdir()
    picture("red", 7).save(place / "val" / "grey" / "0.png")
    return place


def numbered(place: Path, count: int = 4) -> Path:
    """Write the same pictures of known classes as a table that numbers its classes in another order."""
    names = ["red", "green", "blue"]
    rows: dict[str, list[Any]] = {"image": [], "label": []}
    for name in ("blue", "green", "red"):
        for number in range(count):
            rows["image"].append(numpy.asarray(picture(name, 100 + number)))
            rows["label"].append(names.index(name))
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=names)})
    place.mkdir()
    datasets.Dataset.from_dict(rows, features).to_parquet(str(place / "validation.parquet"))
    return place


def test_their_metrics_are_those_of_a_run_on_them_alone_in_every_form(run: Run, tmp_path: Path) -> None:
    one, two = folders(tmp_path / "one"), numbered(tmp_path / "two")
    result = run(ALSO_EVALUATE=[str(one), {"path": str(two), "name": "table"}], SAVE_METHOD="save_pretrained")
    assert result.data["also"] == {"one": {"rows": 12, "dropped": 1}, "table": {"rows": 12, "dropped": 0}}
    (one / "val" / "grey" / "0.png").unlink()
    (one / "val" / "grey").rmdir()
    for moment in ("before", "after"):
        assert set(result.also["one"][moment]) == set(result.metrics[moment])
        assert result.also["one"][moment] == pytest.approx(result.also["table"][moment], abs=1e-4)
    plain = run(OUTPUT_DIR=str(tmp_path / "plain"), SAVE_METHOD="save_pretrained")
    assert plain.metrics == result.metrics
    validated = {"TRAIN_DIR": None, "VAL_DIR": None, "MAX_EVAL_SAMPLES": None}
    own = run(**validated, CUSTOM_DATASET_PATH=str(one), DO_TRAIN=False, OUTPUT_DIR=str(tmp_path / "own"))
    assert own.metrics["before"] == pytest.approx(result.also["one"]["before"], abs=1e-4)


def test_what_cannot_be_scored_is_told_before_the_model_is_loaded(run: Run, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere"):
        run(ALSO_EVALUATE=[str(tmp_path / "nowhere")])
    strange = tmp_path / "strange"
    (strange / "val" / "grey").mkdir(parents=True)
    picture("red", 7).save(strange / "val" / "grey" / "0.png")
    with pytest.raises(DataError, match=r"ALSO_EVALUATE: no row of .*strange can be scored .*grey"):
        run(ALSO_EVALUATE=[str(strange)])
