"""A language task passes core's contract for tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from adapt_core.testing import PluginContract, TaskContract
from adapt_core.testing.task import documented_keys

PAGES = Path(__file__).parents[3] / "docs" / "tasks"


class TestDistribution(PluginContract):
    distribution = "adapt-nlp"


class TestTextClassification(TaskContract):
    prediction_keys = documented_keys(PAGES / "text_classification.md")

    @pytest.fixture(scope="class")
    @classmethod
    def config(cls, tiny_encoder: Path, inbox: Path) -> Mapping[str, Any]:
        return {
            "TASK": "text_classification",
            "MODEL_PATH": str(tiny_encoder),
            "CUSTOM_DATASET_PATH": str(inbox),
            "MAX_TRAIN_SAMPLES": 64,
            "MAX_EVAL_SAMPLES": 16,
            "EPOCHS": 1,
            "NUM_WORKERS": 0,
        }

    @pytest.fixture(scope="class")
    @classmethod
    def inputs(cls) -> Sequence[str]:
        return ["where is my parcel?", "the app closes by itself"]
