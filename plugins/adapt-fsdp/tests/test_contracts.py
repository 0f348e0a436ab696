"""The launchers pass core's contracts for plugins."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from adapt_core.testing import LauncherContract, PluginContract

Config = Mapping[str, Any]


class TestDistribution(PluginContract):
    distribution = "adapt-fsdp"


# Each starts two processes. What the contract asks, test_ddp_run and test_failures ask of the same launcher, and more.
@pytest.mark.slow
class TestDdp(LauncherContract):
    @pytest.fixture(scope="class")
    @classmethod
    def config(cls, tiny_encoder: Path, inbox: Path) -> Config:
        return {**_keys(tiny_encoder, inbox), "DDP": True}


@pytest.mark.slow
class TestFsdp(LauncherContract):
    @pytest.fixture(scope="class")
    @classmethod
    def config(cls, tiny_encoder: Path, inbox: Path) -> Config:
        return {**_keys(tiny_encoder, inbox), "FSDP": True}


def _keys(model: Path, data: Path) -> dict[str, Any]:
    """text_classification in two processes on the CPU: four steps."""
    return {
        "TASK": "text_classification",
        "MODEL_PATH": str(model),
        "CUSTOM_DATASET_PATH": str(data),
        "MAX_TRAIN_SAMPLES": 64,
        "MAX_EVAL_SAMPLES": 16,
        "EPOCHS": 1,
        "BATCH_SIZE": 8,
        "NUM_WORKERS": 0,
        "num_processes": 2,
        "use_cpu": True,
        "collective_timeout": 120,
    }
