"""Image classifiers as ONNX files, with their preprocessing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

import adapt_core
from adapt_core.testing import small_models

from .contract import Make, OnnxContract


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of two classes."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("pictures")
    for split in ("train", "val"):
        for name, colour in (("red", (200, 30, 30)), ("blue", (30, 30, 200))):
            (folder / split / name).mkdir(parents=True)
            for number in range(6):
                image = Image.new("RGB", (50 + number, 40), colour)
                image.paste((number * 20, 99, 0), (5, 5, 20, 30))
                image.save(folder / split / name / f"{number}.png")
    return folder


class TestImagesOfTransformers(OnnxContract):
    files: ClassVar[Sequence[str]] = ("model.onnx", "labels.json", "preprocessing.json")

    @pytest.fixture(scope="class")
    @classmethod
    def finished_run(cls, make: Make, pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
        model = small_models.vit(tmp_path_factory.mktemp("vit"))
        return make(TASK="image_classification", MODEL_PATH=str(model), CUSTOM_DATASET_PATH=str(pictures))


class TestImagesOfTimm(OnnxContract):
    files: ClassVar[Sequence[str]] = ("model.onnx", "labels.json", "preprocessing.json")

    @pytest.fixture(scope="class")
    @classmethod
    def finished_run(cls, make: Make, pictures: Path) -> Path:
        base = {"TASK": "image_classification", "MODEL_PATH": "resnet10t", "load_model": False}
        return make(**base, CUSTOM_DATASET_PATH=str(pictures))


def test_the_lines_see_pictures_as_predictions_do(
    make: Make, pictures: Path, tmp_path: Path, python: Callable[..., Any]
) -> None:
    base = {"TASK": "image_classification", "MODEL_PATH": "resnet10t", "load_model": False, "LR": 0.001}
    run = make(**base, CUSTOM_DATASET_PATH=str(pictures))
    folder = adapt_core.export(run, "onnx", tmp_path / "onnx")
    photo = pictures / "val" / "red" / "3.png"
    (ours,) = adapt_core.predict(run, str(photo))
    lines = (folder / "README.md").read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    opened = lines.replace('Image.new("RGB", (640, 480))', f'Image.open({str(photo)!r}).convert("RGB")')
    done = python(f"import sys\nsys.modules['torch'] = None\n{opened}", folder=folder)
    assert done.returncode == 0, done.stderr
    label, score = done.stdout.split()
    assert label == ours["label"]
    assert float(score) == pytest.approx(ours["score"], abs=1e-4)
