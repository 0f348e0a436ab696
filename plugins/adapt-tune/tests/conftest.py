"""Fixtures of adapt-tune's tests: a small real search."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapt_core.config.resolver import RunConfig
from adapt_core.plugin.registry import Registry

pytest.importorskip("optuna", reason="needs adapt-tune")

Keys = dict[str, Any]


@pytest.fixture(scope="session")
def registry() -> Registry:
    """Everything that is installed."""
    return Registry.discover()


@pytest.fixture(scope="session")
def small(tiny_encoder: Path, inbox: Path) -> Keys:
    """A config of text_classification on a small encoder, without OUTPUT_DIR: steps of milliseconds."""
    return {
        "TASK": "text_classification",
        "MODEL_PATH": str(tiny_encoder),
        "CUSTOM_DATASET_PATH": str(inbox),
        "MAX_TRAIN_SAMPLES": 64,
        "MAX_EVAL_SAMPLES": 32,
        "NUM_WORKERS": 0,
        "SAVE_METHOD": "safetensors",
        "VERDICT": "none",
    }


@pytest.fixture
def keys(small: Keys, tmp_path: Path) -> Keys:
    """That config with a folder of the test's own."""
    return {**small, "OUTPUT_DIR": str(tmp_path / "search")}


@pytest.fixture
def read(keys: Keys, tmp_path: Path) -> Callable[..., RunConfig]:
    """Reads that config with changes, from a file."""

    def read_with(**changes: Any) -> RunConfig:
        from ruamel.yaml import YAML

        file = tmp_path / "config.yaml"
        with file.open("w", encoding="utf-8") as out:
            YAML().dump({**keys, **changes}, out)
        return RunConfig.read(file)

    return read_with
