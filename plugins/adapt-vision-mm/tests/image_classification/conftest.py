"""Backends and models of a config, without a run."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def copy(pictures: Path, tmp_path: Path) -> Path:
    """A copy of the pictures to spoil."""
    return Path(shutil.copytree(pictures, tmp_path / "data"))


@pytest.fixture
def read(keys: dict[str, Any]) -> Callable[..., Any]:
    """The rows of the config with changes, without a model."""
    from adapt_core.config.resolver import RunConfig, resolve
    from adapt_core.plugin.registry import Registry

    from adapt_vision_mm.image_classification.data import load_rows
    from adapt_vision_mm.image_classification.task import ImageClassification

    def rows(**changes: Any) -> Any:
        plan = resolve(RunConfig.read({**keys, **changes}), Registry.discover())
        ImageClassification(plan).check()
        return load_rows(plan)

    return rows


@pytest.fixture
def chosen(keys: dict[str, Any]) -> Callable[..., Any]:
    """The backend of a config with changes; no torch, no model."""
    from adapt_core.config.resolver import RunConfig, resolve
    from adapt_core.plugin.registry import Registry

    from adapt_vision_mm.image_classification.backends.choice import choose_backend

    def backend(**changes: Any) -> Any:
        bare = {"MODEL_PATH": None, "model_type": None, "image_processor_path": None}
        return choose_backend(resolve(RunConfig.read({**keys, **bare, **changes}), Registry.discover()))

    return backend


@pytest.fixture
def prepared(keys: dict[str, Any]) -> Callable[..., Any]:
    """Task, data and loaded model of a config with changes."""
    from adapt_core.config.resolver import RunConfig, resolve
    from adapt_core.distributed.world import World
    from adapt_core.nn.random_state import seed_everything
    from adapt_core.plugin.registry import Registry

    from adapt_vision_mm.image_classification.task import ImageClassification

    def prepare(**changes: Any) -> Any:
        task = ImageClassification(resolve(RunConfig.read({**keys, **changes}), Registry.discover()))
        task.check()
        data = task.load_data()
        seed_everything(42)
        return task, data, task.load_model(data, None, World())

    return prepare
