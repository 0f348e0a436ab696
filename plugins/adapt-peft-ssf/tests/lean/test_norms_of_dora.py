"""DoRA's norms are computed once between evaluations, and anew as soon as a weight is another one."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from peft import PeftModel
from peft.tuners.lora.dora import DoraLinearLayer

from ..adapters import context, make, quantized
from ..models import CASES, logits, train


def attached(bits: int | None = None) -> tuple[Any, Any]:
    case, made = CASES["bert"], make("DoRA")
    base = case.seeded() if bits is None else quantized(case, bits)
    model = made.attach(base, case.context if bits is None else context(case))
    train(model, case.inputs(), steps=3)
    return made, model


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    calls = [0]
    own = DoraLinearLayer.get_weight_norm

    def count(self: Any, *args: Any, **given: Any) -> torch.Tensor:
        calls[0] += 1
        return own(self, *args, **given)

    monkeypatch.setattr(DoraLinearLayer, "get_weight_norm", count)
    return calls


@pytest.mark.parametrize("bits", [None, 4])
def test_a_second_evaluation_computes_no_norm_and_the_same_outputs(
    bits: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, model = attached(bits)
    calls, inputs = counted(monkeypatch), CASES["bert"].inputs()
    with torch.no_grad():
        first = logits(model, inputs)
        made_once = calls[0]
        assert made_once > 0
        assert torch.equal(logits(model, inputs), first)
        assert calls[0] == made_once


def test_outputs_are_those_of_plain_peft_bit_by_bit(tmp_path: Any) -> None:
    made, model = attached()
    inputs = CASES["bert"].inputs()
    made.save_adapter(model, tmp_path)
    plain = PeftModel.from_pretrained(CASES["bert"].seeded(), str(tmp_path)).eval()
    with torch.no_grad():
        logits(model, inputs)
        assert torch.equal(logits(model, inputs), logits(plain, inputs))


@pytest.mark.parametrize("part", ["lora_A", "lora_B", "base_layer"])
def test_a_weight_that_is_written_or_replaced_in_evaluation_is_seen(part: str) -> None:
    _, model = attached()
    inputs = CASES["bert"].inputs()
    name, weight = next((n, p) for n, p in model.named_parameters() if part in n and n.endswith("weight"))
    with torch.no_grad():
        before = logits(model, inputs)
        weight.mul_(1.5)
        written = logits(model, inputs)
        weight.data = weight.data / 1.5
        replaced = logits(model, inputs)
        state = {key: value.clone() for key, value in model.state_dict().items()}
        state[name] *= 1.5
        model.load_state_dict(state)
        loaded = logits(model, inputs)
    assert not torch.equal(written, before)
    torch.testing.assert_close(replaced, before)
    torch.testing.assert_close(loaded, written)


def test_while_it_trains_each_step_has_its_own_norms(monkeypatch: pytest.MonkeyPatch) -> None:
    made = make("DoRA", r=4)
    model = made.attach(CASES["bert"].seeded(), CASES["bert"].context)
    with torch.no_grad():
        logits(model.eval(), CASES["bert"].inputs())
    kept = train(model, CASES["bert"].inputs(), steps=4)
    other = make("DoRA", r=4).attach(CASES["bert"].seeded(), CASES["bert"].context)
    assert kept == train(other, CASES["bert"].inputs(), steps=4)
