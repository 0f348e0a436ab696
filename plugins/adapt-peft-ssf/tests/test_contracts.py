"""The adapters and quantizers pass core's contracts for plugins."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from adapt_core.contracts import Method, Quantizer
from adapt_core.testing import MethodContract, PluginContract, QuantizerContract

from adapt_peft_ssf import params
from adapt_peft_ssf.methods.any_peft import AnyPeft
from adapt_peft_ssf.methods.dora import Dora
from adapt_peft_ssf.methods.lora import Lora
from adapt_peft_ssf.methods.ssf import Ssf
from adapt_peft_ssf.quantizers.bnb_4bit import Bnb4bit
from adapt_peft_ssf.quantizers.bnb_8bit import Bnb8bit


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


class TestLoraWithAStartFromData(MethodContract):
    @pytest.fixture
    def make_method(self) -> Callable[[], Method]:
        return lambda: Lora(params.LoraParams(dropout=0.0, r=3, init_lora_weights="eva"))


class TestDoraWithAStartThatMovesABaseWeight(MethodContract):
    @pytest.fixture
    def make_method(self) -> Callable[[], Method]:
        return lambda: Dora(params.DoraParams(dropout=0.0, r=3, init_lora_weights="corda"))


class TestSsf(MethodContract):
    @pytest.fixture
    def make_method(self) -> Callable[[], Method]:
        return lambda: Ssf(params.SsfParams())


class TestIa3(MethodContract):
    @pytest.fixture
    def make_method(self) -> Callable[[], Method]:
        return lambda: AnyPeft(params.AnyPeftParams(peft_name="IA3"))


class TestLoHa(MethodContract):
    @pytest.fixture
    def make_method(self) -> Callable[[], Method]:
        return lambda: AnyPeft(params.AnyPeftParams(peft_name="LOHA", peft_options={"r": 4}))


class TestOft(MethodContract):
    @pytest.fixture
    def make_method(self) -> Callable[[], Method]:
        return lambda: AnyPeft(params.AnyPeftParams(peft_name="OFT", peft_options={"oft_block_size": 8, "r": 0}))


class TestFourBits(QuantizerContract):
    @pytest.fixture
    def make_quantizer(self) -> Callable[[], Quantizer]:
        return lambda: Bnb4bit(params.Bnb4bitParams(load_in_4bit=True, bnb_4bit_compute_dtype="float32"))


class TestEightBits(QuantizerContract):
    @pytest.fixture
    def make_quantizer(self) -> Callable[[], Quantizer]:
        return lambda: Bnb8bit(params.Bnb8bitParams(load_in_8bit=True))
