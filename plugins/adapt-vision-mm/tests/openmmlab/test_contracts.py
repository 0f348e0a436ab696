"""A detector passes core's contract for tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from adapt_core.testing import TaskContract
from adapt_core.testing.task import documented_keys

pytest.importorskip("mmdet", reason="needs adapt-vision-mm[detection]")

from .detectors import SMALL_RTMDET


class TestObjectDetection(TaskContract):
    prediction_keys = documented_keys(Path(__file__).parents[4] / "docs" / "tasks" / "object_detection.md")

    @pytest.fixture(scope="class")
    @classmethod
    def config(cls, squares: Path) -> Mapping[str, Any]:
        return {
            "TASK": "object_detection",
            "MODEL_PATH": "rtmdet_tiny_8xb32-300e_coco",
            "cfg_options": SMALL_RTMDET,
            "CUSTOM_DATASET_PATH": str(squares),
            "image_size": 96,
            "BATCH_SIZE": 4,
            "EPOCHS": 1,
            "NUM_WORKERS": 0,
        }

    @pytest.fixture(scope="class")
    @classmethod
    def inputs(cls, squares: Path) -> Sequence[str]:
        return [str(squares / "1.png"), str(squares / "2.png")]
