"""The verdict in `adapt check` and in runs: printed, recorded, and without any effect on what is trained."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapt_core.plugin.registry import Registry
from adapt_core.testing import PluginContract

from .conftest import labelled_texts

CHECKS = ["duplicates", "classes", "shifts", "baseline", "label_errors"]

pytestmark = pytest.mark.skipif(
    Registry.discover().data_checks.find("label_errors") is None, reason="needs adapt-verdict installed"
)


class TestAdaptVerdict(PluginContract):
    distribution = "adapt-verdict"


@pytest.fixture
def keys(tiny_encoder: Path, tmp_path: Path) -> dict[str, Any]:
    """A run on texts of three topics: two validation rows stand in training, one of them with another label."""
    pytest.importorskip("adapt_nlp")
    folder = tmp_path / "data"
    folder.mkdir()
    train, validation = labelled_texts(40), labelled_texts(12, seed=1)
    rows = [{"text": text, "label": label} for text, (label,) in zip(train.texts, train.labels, strict=True)]
    others = [
        {"text": text, "label": label} for text, (label,) in zip(validation.texts, validation.labels, strict=True)
    ]
    other = next(row["label"] for row in rows if row["label"] != rows[7]["label"])
    others += [{**rows[3], "text": rows[3]["text"].upper()}, {**rows[7], "label": other}]
    for name, own in (("train", rows), ("validation", others)):
        text = "".join(json.dumps(row) + "\n" for row in own)
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
    return {
        "TASK": "text_classification",
        "MODEL_PATH": str(tiny_encoder),
        "CUSTOM_DATASET_PATH": str(folder),
        "OUTPUT_DIR": str(tmp_path / "run"),
        "EPOCHS": 1,
        "LR": 0.0001,
        "NUM_WORKERS": 0,
    }


def test_a_check_prints_what_is_wrong_with_the_data(
    keys: dict[str, Any], forked_adapt: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "c.yaml").write_text(json.dumps(keys), encoding="utf-8")
    printed = " ".join(forked_adapt("check", "c.yaml").stdout.split())
    assert "2 of 38 validation rows (5.3 %) stand in training; 1 of them have another label there" in printed
    assert "to beat: logistic regression on TF-IDF: accuracy " in printed
    assert "duplicates: validation row 37: " in printed


def test_a_run_records_the_verdict_and_trains_as_without(keys: dict[str, Any]) -> None:
    import adapt_core

    runs = [
        adapt_core.run({**keys, "VERDICT": verdict, "OUTPUT_DIR": f"{keys['OUTPUT_DIR']}-{verdict}"})
        for verdict in ("auto", "none")
    ]
    assert runs[0].metrics == runs[1].metrics, "the same weights, bit for bit"
    assert runs[1].verdict == {}
    assert list(runs[0].verdict["checks"]) == CHECKS
    assert all(check["left_out"] is None for check in runs[0].verdict["checks"].values())
    warnings = "\n".join(runs[0].warnings)
    assert "data: 2 of 38 validation rows (5.3 %) stand in training" in warnings
    assert "of a plain baseline (to beat: logistic regression on TF-IDF: " in warnings
    folder = Path(runs[0].output_dir)
    assert "Plain baselines on the validation split:" in (folder / "README.md").read_text(encoding="utf-8")
    assert "validation row 37" in (folder / "report.html").read_text(encoding="utf-8")


def test_images_are_judged_by_the_features_of_the_base_model(tmp_path: Path) -> None:
    pytest.importorskip("timm")
    pytest.importorskip("adapt_vision_mm")
    import numpy
    from PIL import Image

    import adapt_core

    chance = numpy.random.default_rng(0)
    for split, count in (("train", 20), ("val", 8)):
        for label, colour in (("red", (220, 40, 40)), ("blue", (40, 40, 220))):
            (tmp_path / "data" / split / label).mkdir(parents=True)
            for number in range(count):
                pixels = numpy.clip(numpy.array(colour) + chance.integers(-30, 30, (64, 64, 3)), 0, 255)
                image = Image.fromarray(pixels.astype(numpy.uint8))
                image.save(tmp_path / "data" / split / label / f"{number}.png")
    wrong = tmp_path / "data" / "train" / "red" / "wrong.png"
    (tmp_path / "data" / "train" / "blue" / "4.png").rename(wrong)
    found = adapt_core.run(
        {
            "TASK": "image_classification",
            "MODEL_PATH": "resnet10t",
            "LOCAL_MODEL_PATH": _random_weights(tmp_path),
            "CUSTOM_DATASET_PATH": str(tmp_path / "data"),
            "OUTPUT_DIR": str(tmp_path / "run"),
            "method": "last_layer",
            "MAX_STEPS": 1,
            "NUM_WORKERS": 0,
            "VERDICT": ["baseline", "label_errors"],
        }
    )
    checks = found.verdict["checks"]
    assert "on features of the base model" in checks["baseline"]["findings"][1]["message"]
    (errors,) = checks["label_errors"]["findings"]
    assert str(wrong) in [row["image"] for row in errors["rows"]]


def _random_weights(folder: Path) -> str:
    """Write a small network with random weights, which tells colours apart."""
    import timm
    import torch

    torch.manual_seed(0)
    path = folder / "weights.pth"
    torch.save(timm.create_model("resnet10t", num_classes=10).state_dict(), path)
    return str(path)
