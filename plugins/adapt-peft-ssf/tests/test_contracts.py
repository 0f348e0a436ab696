"""The adapters and quantizers pass core's contracts for plugins."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from adapt_core.contracts import Method, Quantizer
from adapt_core.testing import MethodContract, PluginContract, QuantizerContract

from adapt_peft_ssf import params
from adapt_peft_ssf.lora import Dora, Lora
from adapt_peft_ssf.quantizers.bnb_4bit import Bnb4bit
from adapt_peft_ssf.quantizers.bnb_8bit import Bnb8bit
from adapt_peft_ssf.ssf_method import Ssf


class TestDistribution(PluginContract):
    distribution = "adapt-peft-ssf"


class TestLora(MethodContract):
    @pytest.fixture
    def make_method(self) -> Callable[[], Method]:
        return lambda: Lora(params.LoraParams(dropout=0.0))


class TestDora(MethodContract):
    @pytest.fixture
    def make_method(self) -> Callable[[], Method]:
        return lambda: Dora(params.DoraParams(dropout=0.0))


class TestSsf(MethodContract):
    @pytest.fixture
    def make_method(self) -> Callable[[], Method]:
        return lambda: Ssf(params.SsfParams())


class TestFourBits(QuantizerContract):
    @pytest.fixture
    def make_quantizer(self) -> Callable[[], Quantizer]:
        return lambda: Bnb4bit(params.Bnb4bitParams(load_in_4bit=True, bnb_4bit_compute_dtype="float32"))


class TestEightBits(QuantizerContract):
    @pytest.fixture
    def make_quantizer(self) -> Callable[[], Quantizer]:
        return lambda: Bnb8bit(params.Bnb8bitParams(load_in_8bit=True))
