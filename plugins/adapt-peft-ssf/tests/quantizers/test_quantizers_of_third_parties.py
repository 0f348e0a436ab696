"""Adapters on layers of a quantizer that neither peft nor this package knows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
import torch
from torch import nn

from adapt_core.contracts import Quantizer
from adapt_core.errors import InputError
from adapt_core.testing import QuantizerContract
from adapt_core.testing.int8 import Int8, Int8Linear

from ..adapters import make
from ..models import CASES, Case, logits, train
from adapt_peft_ssf.methods.any_peft import AnyPeft
from adapt_peft_ssf.params import AnyPeftParams


class TestInt8(QuantizerContract):
    tolerance = 0.05

    @pytest.fixture
    def make_quantizer(self) -> Callable[[], Quantizer]:
        return Int8


def quantized(case: Case) -> nn.Module:
    return Int8().prepare(Int8().convert(case.seeded(), case.context.head, "cpu"), gradient_checkpointing=False)


@pytest.fixture(params=["bert", "llama", "t5", "mlp", "timm vit"])
def case(request: pytest.FixtureRequest) -> Case:
    if request.param.startswith("timm"):
        pytest.importorskip("timm")
    found = CASES[request.param]
    return attrs.evolve(found, context=attrs.evolve(found.context, quantized=True))


@pytest.mark.parametrize("name", ["LoRA", "SSF", "IA3", "LOHA", "OFT"])
def test_it_trains_loads_again_and_merges_exactly(case: Case, name: str, tmp_path: Path) -> None:
    options = {"OFT": {"oft_block_size": 8, "r": 0}, "LOHA": {"r": 4}}.get(name)
    named = AnyPeftParams(peft_name=name, peft_options=options)
    method = make(name) if name in ("LoRA", "SSF") else AnyPeft(named)
    model = method.attach(quantized(case), case.context)
    losses = train(model, case.inputs(), steps=6)
    assert losses[-1] < losses[0]
    with torch.no_grad():
        unmerged = logits(model, case.inputs())
    method.save_adapter(model, tmp_path)
    loaded = type(method)(method.params).load_adapter(quantized(case), tmp_path).eval()
    with torch.no_grad():
        torch.testing.assert_close(logits(loaded, case.inputs()), unmerged)

    merged = method.merge(model, Int8()).eval()

    assert {n: type(m) for n, m in merged.named_modules()} == {n: type(m) for n, m in case.seeded().named_modules()}
    outputs = logits(merged, case.inputs())
    assert (outputs - unmerged).abs().max() <= 1e-5 * unmerged.abs().max()


def test_dora_refuses_before_training_for_peft_would_take_codes_for_weights() -> None:
    case = CASES["mlp"]
    with pytest.raises(InputError, match="peft cannot dequantize those of Int8Linear layers"):
        make("DoRA").attach(quantized(case), attrs.evolve(case.context, quantized=True))


@pytest.mark.parametrize("name", ["LoRA", "SSF"])
def test_a_merge_without_the_quantizer_is_refused(name: str) -> None:
    case = CASES["mlp"]
    method = make(name)
    model = method.attach(quantized(case), attrs.evolve(case.context, quantized=True))
    with pytest.raises(InputError, match="dequantize"):
        method.merge(model, None)


class Int8Module(nn.Module):
    """A quantized layer that is not a Linear by class."""

    def __init__(self, layer: Int8Linear) -> None:
        super().__init__()
        self.in_features, self.out_features = layer.in_features, layer.out_features
        self.layer = [layer]
        self.codes = nn.Parameter(layer.weight, requires_grad=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer[0](x)


@pytest.mark.parametrize("name", ["LoRA", "DoRA", "SSF"])
def test_layers_that_are_not_linear_by_class_are_refused_and_not_left_out_unseen(name: str) -> None:
    case = CASES["mlp"]
    model = quantized(case)
    for path, module in list(model.named_modules()):
        if isinstance(module, Int8Linear):
            model.set_submodule(path, Int8Module(module))
    context = attrs.evolve(case.context, quantized=True)
    with pytest.raises(InputError, match=r"first is of class Int8Module, which is not a subclass of torch\.nn\.Linear"):
        make(name).attach(model, context)
