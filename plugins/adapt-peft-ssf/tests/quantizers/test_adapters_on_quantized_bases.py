"""LoRA, DoRA and SSF on bases in 4 and 8 bits: they train, load again and merge into what they were."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from adapt_core.verification.training import fingerprint

from ..adapters import METHODS, context, make, quantized, quantizer
from ..models import CASES, Case, logits, train
from adapt_peft_ssf.quantizers.conversion import dequantize, quantized_layers

MODELS = ("bert", "gpt2", "llama", "t5", "mlp", "timm vit")


@pytest.fixture(params=MODELS)
def case(request: pytest.FixtureRequest) -> Case:
    if request.param.startswith("timm"):
        pytest.importorskip("timm")
    return CASES[request.param]


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("name", METHODS)
def test_it_trains_loads_again_and_merges(case: Case, name: str, bits: int, tmp_path: Path) -> None:
    method = make(name)
    model = method.attach(quantized(case, bits), context(case)).eval()
    with torch.no_grad(), method.disable_adapter(model):
        logits(model, case.inputs())
    groups = method.trainable_groups(model)
    frozen = {n: fingerprint(p) for n, p in model.named_parameters() if not p.requires_grad}
    start = {n: fingerprint(model.get_parameter(n)) for n in groups["adapter"]}

    losses = train(model, case.inputs(), steps=6)

    assert losses[-1] < losses[0]
    assert {n: fingerprint(model.get_parameter(n)) for n in frozen} == frozen
    assert sum(fingerprint(model.get_parameter(n)) != f for n, f in start.items()) > len(start) / 2
    with torch.no_grad():
        unmerged = logits(model, case.inputs())
    method.save_adapter(model, tmp_path)

    fresh = make(name)
    loaded = fresh.load_adapter(quantized(case, bits), tmp_path).eval()
    with torch.no_grad():
        torch.testing.assert_close(logits(loaded, case.inputs()), unmerged)
    on_floats = make(name).load_adapter(dequantize(quantized(case, bits), torch.float32), tmp_path).eval()
    reference = logits(on_floats, case.inputs())

    merged = method.merge(model, quantizer(bits)).eval()

    assert not list(quantized_layers(merged))
    assert {n: type(m) for n, m in merged.named_modules()} == {n: type(m) for n, m in case.seeded().named_modules()}
    outputs = logits(merged, case.inputs())
    largest = reference.abs().max()
    assert (outputs - reference).abs().max() <= 1e-5 * largest
    assert (outputs - unmerged).abs().max() <= (1e-4 if bits == 4 else 5e-2) * largest


FORMS: list[tuple[int, dict[str, Any]]] = [
    (4, {}),
    (4, {"bnb_4bit_use_double_quant": True}),
    (4, {"bnb_4bit_quant_storage": "bfloat16"}),
    (4, {"bnb_4bit_quant_storage": "float16", "bnb_4bit_use_double_quant": True}),
    (4, {"bnb_4bit_quant_storage": "float32", "bnb_4bit_quant_type": "fp4"}),
    (8, {}),
]


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize(("bits", "form"), FORMS)
def test_a_merge_of_nothing_gives_the_base(bits: int, form: dict[str, Any], name: str) -> None:
    """Whatever the codes are stored as; packed weights are no floats, though their type may be one."""
    case = CASES["bert"]
    base = dequantize(quantized(case, bits, **form), torch.float32).state_dict()
    method = make(name)
    model = method.attach(quantized(case, bits, **form), context(case))
    merged = method.merge(model, quantizer(bits, **form)).state_dict()
    assert merged.keys() == base.keys()
    for key, tensor in base.items():
        if name == "DoRA":  # its magnitude times the weight's direction is the weight up to rounding
            torch.testing.assert_close(merged[key], tensor, rtol=1e-5, atol=1e-7)
        else:
            assert torch.equal(merged[key], tensor), key


@pytest.mark.parametrize("storage", ["uint8", "float16", "bfloat16", "float32"])
def test_packed_weights_are_not_cast_whatever_they_are_stored_as(storage: str) -> None:
    case = CASES["bert"]
    outputs = []
    for stored in ("uint8", storage):
        method = make("LoRA")
        model = method.attach(quantized(case, 4, bnb_4bit_quant_storage=stored), context(case))
        torch.manual_seed(0)
        train(model, case.inputs(), steps=3)
        outputs.append(logits(method.merge(model, quantizer(4, bnb_4bit_quant_storage=stored)).eval(), case.inputs()))
    assert torch.equal(*outputs)
