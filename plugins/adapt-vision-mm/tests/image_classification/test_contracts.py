"""Image classification, with models of both libraries, passes core's contract for tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from adapt_core.testing import TaskContract
from adapt_core.testing.task import documented_keys

Config = Mapping[str, Any]


class ImageContract(TaskContract):
    """What both libraries' runs share."""

    prediction_keys = documented_keys(Path(__file__).parents[4] / "docs" / "tasks" / "image_classification.md")

    @pytest.fixture(scope="class")
    @classmethod
    def inputs(cls, pictures: Path) -> Sequence[str]:
        return [str(path) for path in sorted((pictures / "val").rglob("*.jpg"))[:3]]


class TestTimm(ImageContract):
    @pytest.fixture(scope="class")
    @classmethod
    def config(cls, pictures: Path, small_processor: Path) -> Config:
        return {**_keys(pictures), "MODEL_PATH": "resnet10t", "image_processor_path": str(small_processor)}


class TestTransformers(ImageContract):
    @pytest.fixture(scope="class")
    @classmethod
    def config(cls, pictures: Path, tiny_vit: Path) -> Config:
        return {**_keys(pictures), "MODEL_PATH": str(tiny_vit), "model_type": "vit"}


def _keys(pictures: Path) -> dict[str, Any]:
    """Three steps of eight."""
    data = {"TASK": "image_classification", "CUSTOM_DATASET_PATH": str(pictures)}
    return {**data, "BATCH_SIZE": 8, "EPOCHS": 1, "LR": 0.003, "NUM_WORKERS": 0}
