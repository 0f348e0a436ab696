"""The metric passes the contracts of adapt."""

from __future__ import annotations

from typing import ClassVar

import pytest

from adapt_core.testing import MetricContract, PluginContract


class TestDistribution(PluginContract):
    distribution = "adapt-word-errors"


class TestWordErrorRate(MetricContract):
    name = "word_error_rate"
    known: ClassVar = {"word_error_rate": 2 / 5}  # of five words "the" is missing, and "late" stands for "lost"

    @pytest.fixture
    def rows(self) -> tuple[list[str], list[str]]:
        return ["my parcel late", "thanks"], ["the my parcel lost", "thanks"]
