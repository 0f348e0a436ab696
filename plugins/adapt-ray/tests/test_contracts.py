"""The launcher passes core's contracts for plugins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from adapt_core.testing import LauncherContract, PluginContract


class TestDistribution(PluginContract):
    distribution = "adapt-ray"


@pytest.mark.slow
class TestRay(LauncherContract):
    @pytest.fixture(scope="class")
    @classmethod
    def config(cls, job: dict[str, Any]) -> Mapping[str, Any]:
        return {**job, "EPOCHS": 1}
