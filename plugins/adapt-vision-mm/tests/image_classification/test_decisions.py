"""One label for each image: scores are probabilities, images of low confidence get no label, with both libraries."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import adapt_core
from adapt_core.testing.cards import python_of

from ..conftest import Keys
from ..pictures import COLOURS
from .test_several_labels import write

COMMENTED = r"^# (?=from |import |photo = |inputs = |config = |score, best = |label = )"


@pytest.fixture
def wrong_table(pictures: Path, tmp_path: Path) -> Path:
    """Pictures with their colours in training; of 180 validation rows three in ten have another."""

    def rows(split: str, count: int, wrong: float) -> list[Keys]:
        chosen = random.Random(1)
        found = []
        for number in range(count):
            name = list(COLOURS)[number % len(COLOURS)]
            files = sorted((pictures / split / name).glob("*.jpg"))
            label = chosen.choice(list(COLOURS)) if chosen.random() < wrong else name
            found.append({"image": str(files[number % len(files)]), "label": label})
        return found

    return write(tmp_path / "wrong", rows("train", 60, 0.0), rows("val", 180, 0.45))


@pytest.mark.parametrize("library", ["timm", "hf"])
def test_images_are_decided_by_what_their_validation_rows_say(
    keys: Keys,
    hf_keys: Keys,
    wrong_table: Path,
    pictures: Path,
    tmp_path: Path,
    python: Callable[..., Any],
    library: str,
) -> None:
    own = {"timm": keys, "hf": hf_keys}[library]
    changes = {"EPOCHS": 8, "augmentation": False, "ABSTAIN_PRECISION": 0.5, "VERDICT": "none", "INTERVAL": "no"}
    result = adapt_core.run({**own, "CUSTOM_DATASET_PATH": str(wrong_table), "MAX_EVAL_SAMPLES": None, **changes})
    calibration, abstain = result.decisions["calibration"], result.decisions["abstain"]
    assert calibration["temperature"] > 1
    assert calibration["validation"]["after"]["ece"] < calibration["validation"]["before"]["ece"]
    assert abstain["least_confidence"] is not None
    run = tmp_path / "run"
    kept = json.loads((run / "model" / "config.json").read_text(encoding="utf-8"))
    assert kept["calibration_temperature"] == calibration["temperature"]
    assert kept["abstain_below"] == abstain["least_confidence"]

    photo = pictures / "val" / "green" / "1.jpg"
    [found] = adapt_core.predict(run, [str(photo)])
    assert found["score"] == found["top"][found["would_be"]]
    assert found["label"] == (None if found["abstained"] else found["would_be"])
    lines = re.sub(COMMENTED, "", python_of(run / "README.md"), flags=re.MULTILINE).replace("photo.jpg", str(photo))
    done = python(f"{lines}\nprint(label, round(float(score), 3))", folder=run)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(found["label"]), str(round(found["score"], 3))]

    again = tmp_path / "exported"
    adapt_core.export(run, save_method="state_dict", output=again)
    exported = json.loads((again / "config.json").read_text(encoding="utf-8"))
    assert exported["calibration_temperature"] == kept["calibration_temperature"]


def test_plain_timm_still_loads_the_model(keys: Keys, wrong_table: Path, tmp_path: Path) -> None:
    timm = pytest.importorskip("timm")
    changes = {"EPOCHS": 8, "augmentation": False, "SAVE_METHOD": "save_pretrained", "VERDICT": "none"}
    adapt_core.run({**keys, "CUSTOM_DATASET_PATH": str(wrong_table), "MAX_EVAL_SAMPLES": None, **changes})
    assert "calibration_temperature" in json.loads((tmp_path / "run" / "model" / "config.json").read_text("utf-8"))
    model = timm.create_model(f"local-dir:{tmp_path / 'run' / 'model'}", pretrained=True)
    assert model.num_classes == len(COLOURS)
