"""A finished run of any task, of which the tests make exports."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import adapt_core


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Returns the folder of a finished run with these keys."""

    def run(**keys: Any) -> Path:
        folder = tmp_path_factory.mktemp("run") / "run"
        small = {"EPOCHS": 1, "LR": 0.01, "NUM_WORKERS": 0, "MAX_TRAIN_SAMPLES": 32, "MAX_EVAL_SAMPLES": 16}
        adapt_core.run({**small, "SAVE_METHOD": "safetensors", "VERDICT": "none", **keys, "OUTPUT_DIR": str(folder)})
        return folder

    return run
