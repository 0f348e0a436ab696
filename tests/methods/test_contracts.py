"""Core's own methods pass the contracts that it sets for others."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from adapt_core.contracts import Method
from adapt_core.methods.full import Full
from adapt_core.methods.last_layer import LastLayer
from adapt_core.methods.params import LastLayerParams
from adapt_core.plugin.params import NoParams
from adapt_core.testing import MethodContract, PluginContract


class TestCore(PluginContract):
    distribution = "adapt-core"


class TestFull(MethodContract):
    @pytest.fixture
    def make_method(self) -> Callable[[], Method]:
        return lambda: Full(NoParams())


class TestLastLayer(MethodContract):
    @pytest.fixture
    def make_method(self) -> Callable[[], Method]:
        return lambda: LastLayer(LastLayerParams())
