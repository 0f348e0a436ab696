"""SSF behaves as peft's own tuners do, and folds exactly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftConfig, PeftModel, get_peft_model
from torch import nn

from adapt_core.errors import InputError

from ..models import CASES, ConvNet, Mlp, logits, train
from adapt_peft_ssf.methods.ssf import Ssf
from adapt_peft_ssf.params import SsfParams
from adapt_peft_ssf.ssf import SsfConfig, SsfLayer
from adapt_peft_ssf.ssf.layer import refusal


def wrapped(case: str = "mlp", **values: Any) -> Any:
    return get_peft_model(CASES[case].seeded(), SsfConfig(**values)).eval()


def shaken(model: Any, adapter: str = "default", seed: int = 4) -> Any:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if f"ssf_scale.{adapter}" in name or f"ssf_shift.{adapter}" in name:
                parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
    return model


def test_get_peft_model_takes_every_layer_where_none_is_named() -> None:
    names = {name for name, module in wrapped("conv net").named_modules() if isinstance(module, SsfLayer)}
    assert {name.rpartition(".")[2] for name in names} == {"stem", "bn", "grouped", "gn", "last", "fc"}


def test_a_saved_config_is_found_again_by_its_type(tmp_path: Path) -> None:
    model = shaken(wrapped())
    model.save_pretrained(str(tmp_path))
    assert isinstance(PeftConfig.from_pretrained(str(tmp_path)), SsfConfig)
    loaded = PeftModel.from_pretrained(CASES["mlp"].seeded(), str(tmp_path)).eval()
    assert torch.equal(logits(loaded, CASES["mlp"].inputs()), logits(model, CASES["mlp"].inputs()))


def test_several_adapters_are_switched_between_and_deleted() -> None:
    inputs = CASES["mlp"].inputs()
    model = shaken(wrapped())
    first = logits(model, inputs)
    model.add_adapter("second", SsfConfig())
    shaken(model, "second", seed=9)
    assert torch.equal(logits(model, inputs), first)
    model.set_adapter("second")
    second = logits(model, inputs)
    assert not torch.allclose(first, second)
    assert all(not p.requires_grad for n, p in model.named_parameters() if n.endswith(".default"))
    model.base_model.set_adapter(["default", "second"])
    both = logits(model, inputs)
    merged = model.merge_and_unload()
    torch.testing.assert_close(logits(merged, inputs), both)


def test_a_deleted_adapter_is_gone() -> None:
    model = shaken(wrapped())
    first = logits(model, CASES["mlp"].inputs())
    model.add_adapter("second", SsfConfig())
    model.delete_adapter("second")
    assert not any(name.endswith(".second") for name, _ in model.named_parameters())
    assert torch.equal(logits(model, CASES["mlp"].inputs()), first)


def test_disable_adapter_is_the_base_model_also_when_merged() -> None:
    inputs = CASES["conv net"].inputs()
    base = logits(CASES["conv net"].seeded(), inputs)
    model = shaken(wrapped("conv net"))
    with model.disable_adapter():
        assert torch.equal(logits(model, inputs), base)
    model.merge_adapter()
    with model.disable_adapter():
        torch.testing.assert_close(logits(model, inputs), base, rtol=1e-4, atol=1e-5)


def test_merging_is_taken_back_by_unmerging() -> None:
    inputs = CASES["mlp"].inputs()
    model = shaken(wrapped())
    unmerged = logits(model, inputs)
    model.merge_adapter()
    torch.testing.assert_close(logits(model, inputs), unmerged)
    model.unmerge_adapter()
    torch.testing.assert_close(logits(model, inputs), unmerged)
    assert model.get_base_model().second.base_layer.bias is None


def test_a_scale_of_zero_cannot_be_unmerged() -> None:
    model = wrapped()
    model.get_base_model().second.ssf_scale["default"].data.zero_()
    model.merge_adapter()
    with pytest.raises(ValueError, match="scale of zero"):
        model.unmerge_adapter()


def test_a_merged_layer_without_bias_gains_one() -> None:
    merged = shaken(wrapped()).merge_and_unload()
    assert merged.second.bias is not None
    assert type(merged.second) is nn.Linear


class GemmaStyleRMSNorm(nn.Module):
    """Multiplies by 1 + weight."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(size))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * (1 + self.weight)


@pytest.mark.parametrize("norm", [nn.RMSNorm(48, eps=1e-6), GemmaStyleRMSNorm(48)], ids=["torch", "one plus weight"])
def test_rms_norms_are_scaled_at_their_output_and_fold_exactly(norm: nn.Module) -> None:
    x = torch.randn(4, 48)
    plain = norm(x)
    model = get_peft_model(nn.Sequential(norm), SsfConfig())
    with torch.no_grad():
        scale = next(p for n, p in model.named_parameters() if "ssf_scale" in n)
        scale.copy_(torch.linspace(0.5, 2, 48))
    assert not any("ssf_shift" in name for name, _ in model.named_parameters())
    torch.testing.assert_close(model(x), plain * torch.linspace(0.5, 2, 48))
    torch.testing.assert_close(model.merge_and_unload()(x), plain * torch.linspace(0.5, 2, 48))


def test_a_norm_with_a_fused_activation_is_scaled_before_it() -> None:
    layers = pytest.importorskip("timm.layers")
    norm = layers.BatchNormAct2d(4).eval()
    model = get_peft_model(nn.Sequential(norm), SsfConfig())
    with torch.no_grad():
        next(p for n, p in model.named_parameters() if "ssf_scale" in n).fill_(-1.0)
    x = torch.randn(2, 4, 3, 3)
    torch.testing.assert_close(model(x), (-x / (1 + norm.eps) ** 0.5).relu())
    torch.testing.assert_close(model.merge_and_unload()(x), (-x / (1 + norm.eps) ** 0.5).relu())


def test_what_it_cannot_take_it_refuses_with_the_reason() -> None:
    assert "without a weight" in str(refusal(nn.LayerNorm(4, elementwise_affine=False)))
    assert "Embedding" in str(refusal(nn.Embedding(4, 4)))
    with pytest.raises(ValueError, match="SSF cannot take the module bare"):
        get_peft_model(Mlp(), SsfConfig(target_modules=["bare"]))


def test_safe_merging_refuses_values_that_are_not_finite() -> None:
    model = wrapped()
    model.get_base_model().first.ssf_scale["default"].data[0] = float("nan")
    with pytest.raises(ValueError, match="not finite"):
        model.merge_and_unload(safe_merge=True)


def test_an_unknown_start_is_refused() -> None:
    with pytest.raises(ValueError, match="init_ssf_weights"):
        SsfConfig(init_ssf_weights="zeros")
    with pytest.raises(InputError, match="init_ssf_weights"):
        Ssf(SsfParams(init_ssf_weights="zeros")).attach(CASES["mlp"].seeded(), CASES["mlp"].context)


def test_init_ssf_weights_true_is_the_base_and_random_is_the_papers_start() -> None:
    case = CASES["conv net"]
    base = logits(case.seeded(), case.inputs())
    identity = Ssf(SsfParams()).attach(case.seeded(), case.context).eval()
    assert torch.equal(logits(identity, case.inputs()), base)
    random = Ssf(SsfParams(init_ssf_weights="random")).attach(case.seeded(), case.context).eval()
    scales = torch.cat([p.flatten() for n, p in random.named_parameters() if "ssf_scale" in n])
    shifts = torch.cat([p.flatten() for n, p in random.named_parameters() if "ssf_shift" in n])
    assert scales.mean().item() == pytest.approx(1, abs=0.01)
    assert scales.std().item() == pytest.approx(0.02, abs=0.008)
    assert shifts.std().item() == pytest.approx(0.02, abs=0.008)


def test_ssf_shift_everywhere_shifts_layers_without_a_bias_too() -> None:
    case = CASES["conv net"]
    for everywhere in (False, True):
        model = Ssf(SsfParams(ssf_shift_everywhere=everywhere)).attach(ConvNet(), case.context)
        assert any("stem.ssf_shift" in name for name, _ in model.named_parameters()) is everywhere


def test_target_modules_and_auto_select_modules_of_ssf() -> None:
    case = CASES["bert"]
    model = Ssf(SsfParams(target_modules=("LayerNorm",))).attach(case.seeded(), case.context)
    adapted = {name for name, module in model.named_modules() if isinstance(module, SsfLayer)}
    assert all(name.endswith("LayerNorm") for name in adapted)
    assert len(adapted) == 5
    with pytest.raises(InputError, match="auto_select_modules"):
        Ssf(SsfParams(auto_select_modules=False)).attach(case.seeded(), case.context)


def test_every_scale_and_shift_gets_a_gradient_and_is_the_same_tensor_at_each_step() -> None:
    case = CASES["conv net"]
    method = Ssf(SsfParams())
    model = method.attach(case.seeded(), case.context)
    before = {name: id(parameter) for name, parameter in model.named_parameters()}
    start = {name: p.detach().clone() for name, p in model.named_parameters() if "ssf_" in name}
    train(model, case.inputs(), steps=3)
    assert before == {name: id(parameter) for name, parameter in model.named_parameters()}
    assert all(not torch.equal(model.get_parameter(name), value) for name, value in start.items())


def test_batch_norm_statistics_of_the_frozen_base_stand_still() -> None:
    case = CASES["conv net"]
    model = Ssf(SsfParams()).attach(case.seeded(), case.context)
    train(model, case.inputs(), steps=3)
    assert torch.equal(model.get_base_model().bn.get_base_layer().running_mean, torch.zeros(16))
