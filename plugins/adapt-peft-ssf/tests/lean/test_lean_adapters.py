"""LoRA's and DoRA's layers that keep less: the loss and every gradient are those of peft's own layers."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
import torch
from peft import LoraConfig
from peft.tuners.lora import Linear
from peft.tuners.lora.dora import DoraLinearLayer
from torch import nn

from adapt_core.contracts import AttachContext
from adapt_core.estimate.activations import Kept, Recomputed, activation_bytes, own_storages
from adapt_core.nn.rms_norm import rms_norm
from adapt_core.testing.equality import assert_same_gradients, float32_as_float64

from ..adapters import context, make, quantized
from ..models import CASES, FURTHER_FAMILIES
from adapt_peft_ssf.lean.dropout import dropped, factors
from adapt_peft_ssf.lean.functions import row_norms
from adapt_peft_ssf.lean.layers import LeanLinear

FAMILIES = ("llama", "gpt2", "t5", "bert", "timm vit", "mlp", *FURTHER_FAMILIES)
EVERY_CASE = {**CASES, **FURTHER_FAMILIES}
ADAPTERS = [(method, dropout) for method in ("LoRA", "DoRA") for dropout in (0.0, 0.1)]


def attached(family: str, method: str, dropout: float, *, lean: bool, **values: Any) -> nn.Module:
    """Return a model with an adapter that does something, in training mode."""
    case = EVERY_CASE[family]
    made = make(method, dropout=dropout, **values)
    model = made.attach(case.seeded(), attrs.evolve(case.context, lean_layers=lean)).train()
    torch.manual_seed(1)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            nn.init.normal_(parameter, std=0.1)
        elif "magnitude" in name:
            parameter.data.mul_(1 + 0.2 * torch.randn_like(parameter))
    return model


def learned(model: nn.Module, inputs: dict[str, Any]) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Return the loss of a batch and the gradient of each parameter, dropout drawn from the same seed each time."""
    model.zero_grad()
    torch.manual_seed(2)
    output = model(**inputs)
    output = output if isinstance(output, torch.Tensor) else output.logits
    loss = (output.double() - torch.linspace(-1, 1, output.shape[-1])).square().mean()
    loss.backward()
    return loss.detach(), {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def assert_equal(own: nn.Module, lean: nn.Module, inputs: dict[str, Any], tolerance: float) -> None:
    loss, gradients = learned(own, inputs)
    found, lean_gradients = learned(lean, inputs)
    torch.testing.assert_close(found, loss, rtol=tolerance, atol=0)
    assert_same_gradients(lean_gradients, gradients, tolerance)


def lean_layers(model: nn.Module) -> list[LeanLinear]:
    return [module for module in model.modules() if isinstance(module, LeanLinear)]


@pytest.mark.parametrize(("method", "dropout"), ADAPTERS)
@pytest.mark.parametrize("family", FAMILIES)
def test_loss_and_gradients_are_pefts(family: str, method: str, dropout: float) -> None:
    own, lean = (attached(family, method, dropout, lean=lean) for lean in (False, True))
    assert lean_layers(lean)
    assert not lean_layers(own)
    inputs = EVERY_CASE[family].inputs()
    assert_equal(own, lean, inputs, 1e-5)
    doubled = {name: x.double() if x.is_floating_point() else x for name, x in inputs.items()}
    with float32_as_float64(own):  # norms and softmax, too, which most families compute in float32 whatever they get
        assert_equal(own.double(), lean.double(), doubled, 1e-9)


@pytest.mark.parametrize(("method", "dropout"), ADAPTERS)
def test_few_rows_on_a_wide_layer_too(method: str, dropout: float) -> None:
    """The update is not added to the weight then."""
    own, lean = (attached("mlp", method, dropout, lean=lean).double() for lean in (False, True))
    inputs = {"x": CASES["mlp"].inputs()["x"][:2].double().requires_grad_()}
    assert_equal(own, lean, inputs, 1e-9)
    assert lean(inputs["x"][:0]).shape == (0, 3)


def test_the_gradient_of_the_input_is_pefts() -> None:
    for method, dropout in ADAPTERS:
        gradients = []
        for lean in (False, True):
            x = CASES["mlp"].inputs()["x"].requires_grad_()
            learned(attached("mlp", method, dropout, lean=lean), {"x": x})
            assert x.grad is not None
            gradients.append(x.grad)
        torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("method", ["LoRA", "DoRA"])
def test_dropout_of_a_turned_input_is_pefts(method: str) -> None:
    """torch draws in the order of the memory, which is not that of the rows then."""
    own, lean = (attached("mlp", method, 0.3, lean=lean) for lean in (False, True))
    rows = CASES["mlp"].inputs()["x"]
    turned = torch.stack([rows, rows + 1]).transpose(0, 1)
    assert not turned.is_contiguous()
    assert_equal(own, lean, {"x": turned}, 1e-5)


@pytest.mark.parametrize("shape", [(7, 9), (2, 3, 8), (1, 1), (0, 4)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dropped_numbers_are_those_of_torch(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    x = torch.randn(shape, dtype=dtype)
    torch.manual_seed(3)
    expected, after = nn.functional.dropout(x, 0.3), torch.rand(2)
    torch.manual_seed(3)
    numbers, bits = dropped(x, 0.3)
    assert torch.equal(torch.rand(2), after)
    assert torch.equal(numbers, expected)
    torch.testing.assert_close(x * factors(bits, x, 0.3), expected)
    assert bits.numel() == -(-x.numel() // 8)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.float64, 1e-9)])
def test_norms_are_pefts(dtype: torch.dtype, tolerance: float) -> None:
    torch.manual_seed(4)
    weight, a, b = (
        torch.randn(700, 900, dtype=dtype),
        torch.randn(4, 900, dtype=dtype),
        torch.randn(700, 4, dtype=dtype),
    )
    peft = DoraLinearLayer(fan_in_fan_out=False).get_weight_norm(weight, b @ a, 0.5)
    torch.testing.assert_close(row_norms(weight, a, b, 0.5), peft, rtol=tolerance, atol=0)
    torch.testing.assert_close(row_norms(weight.T.contiguous().T, a, b, 0.5), peft, rtol=tolerance, atol=0)


@pytest.mark.parametrize("method", ["LoRA", "DoRA"])
def test_convolutions_keep_pefts_layers(method: str) -> None:
    own, lean = (attached("conv net", method, 0.1, lean=lean) for lean in (False, True))
    assert_equal(own, lean, CASES["conv net"].inputs(), 1e-6)


def test_embeddings_keep_pefts_layers() -> None:
    targets = ["word_embeddings", "query"]
    own, lean = (attached("bert", "LoRA", 0.1, lean=lean, target_modules=targets) for lean in (False, True))
    assert len(lean_layers(lean)) == 2
    assert_equal(own, lean, CASES["bert"].inputs(), 1e-5)


@pytest.mark.parametrize("method", ["LoRA", "DoRA"])
def test_biases_that_train_get_their_gradient(method: str) -> None:
    own, lean = (attached("bert", method, 0.1, lean=lean, bias="lora_only") for lean in (False, True))
    assert any(name.endswith("bias") and p.requires_grad for name, p in lean.named_parameters())
    assert_equal(own, lean, CASES["bert"].inputs(), 1e-5)


@pytest.mark.parametrize("method", ["LoRA", "DoRA"])
def test_adapters_are_switched_off_merged_and_several_as_in_peft(method: str) -> None:
    own, lean = (attached("bert", method, 0.0, lean=lean) for lean in (False, True))
    layers = [[m for m in model.modules() if isinstance(m, Linear)] for model in (own, lean)]
    inputs = CASES["bert"].inputs()

    def both() -> tuple[torch.Tensor, torch.Tensor]:
        return own(**inputs).logits.detach(), lean(**inputs).logits.detach()

    def each(change: Any) -> None:
        for layer in (*layers[0], *layers[1]):
            change(layer)
        torch.testing.assert_close(*both(), rtol=1e-5, atol=1e-6)

    adapted = both()[1]
    torch.testing.assert_close(*both(), rtol=1e-5, atol=1e-6)
    each(lambda layer: layer.enable_adapters(False))
    assert (both()[1] - adapted).abs().max() > 1e-3
    each(lambda layer: layer.enable_adapters(True))
    each(lambda layer: layer.merge())
    each(lambda layer: layer.unmerge())
    torch.testing.assert_close(both()[1], adapted, rtol=1e-4, atol=1e-5)
    config: Any = LoraConfig(r=2, init_lora_weights=False)
    torch.manual_seed(5)
    for layer, other in zip(layers[0], layers[1], strict=True):
        layer.update_layer("second", 2, 4, config)
        other.update_layer("second", 2, 4, config)
        other.load_state_dict(layer.state_dict())
    each(lambda layer: layer.set_adapter(["default", "second"]))
    assert (both()[1] - adapted).abs().max() > 1e-3
    each(lambda layer: layer.set_adapter(["second"]))


@pytest.mark.parametrize("method", ["LoRA", "DoRA"])
def test_outside_of_training_outputs_are_pefts_bit_by_bit(method: str) -> None:
    own, lean = (attached("bert", method, 0.1, lean=lean).eval() for lean in (False, True))
    inputs = CASES["bert"].inputs()
    assert torch.equal(lean(**inputs).logits, own(**inputs).logits)


def test_a_part_that_somebody_listens_to_is_called() -> None:
    model = attached("mlp", "LoRA", 0.1, lean=True)
    seen: list[str] = []
    layer = lean_layers(model)[0]
    layer.lora_A["default"].register_forward_hook(lambda *_: seen.append("A"))
    layer.base_layer.register_forward_hook(lambda *_: seen.append("base"))
    learned(model, CASES["mlp"].inputs())
    assert seen == ["base", "A"]


def test_under_autocast_peft_computes() -> None:
    own, lean = (attached("mlp", "DoRA", 0.1, lean=lean) for lean in (False, True))
    with torch.autocast("cpu", torch.bfloat16):
        found = [learned(model, CASES["mlp"].inputs()) for model in (own, lean)]
    assert torch.equal(found[0][0], found[1][0])
    assert all(torch.equal(found[1][1][name], gradient) for name, gradient in found[0][1].items())


@pytest.mark.parametrize("method", ["LoRA", "DoRA"])
def test_on_a_base_in_half_precision_the_adapter_gives_what_peft_gives(method: str) -> None:
    found = []
    for lean in (False, True):
        model = attached("mlp", method, 0.1, lean=lean)
        for name, parameter in model.named_parameters():
            if "lora_" not in name:
                parameter.data = parameter.data.bfloat16()
        found.append(learned(model, {"x": CASES["mlp"].inputs()["x"].bfloat16()}))
    torch.testing.assert_close(found[1][0], found[0][0], rtol=1e-5, atol=0)
    for name, gradient in found[0][1].items():
        scale = float(gradient.abs().max())
        torch.testing.assert_close(found[1][1][name], gradient, rtol=1e-2, atol=1e-2 * scale)


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("method", ["LoRA", "DoRA"])
def test_on_quantized_layers_the_update_keeps_less(method: str, bits: int) -> None:
    found, kept = [], []
    case = CASES["bert"]
    for lean in (False, True):
        made = make(method, dropout=0.1, init_lora_weights=False)
        torch.manual_seed(1)
        model = made.attach(quantized(case, bits), attrs.evolve(context(case), lean_layers=lean)).train()
        found.append(learned(model, case.inputs()))
        kept.append(kept_bytes(model, case.inputs()))
    torch.testing.assert_close(found[1][0], found[0][0], rtol=1e-5, atol=0)
    for name, gradient in found[0][1].items():
        scale = float(gradient.abs().max())
        torch.testing.assert_close(found[1][1][name], gradient, rtol=1e-5, atol=1e-5 * scale)
    assert kept[1] < 0.9 * kept[0] if method == "LoRA" else kept[1] == kept[0]


def test_recomputed_blocks_draw_the_same_dropout() -> None:
    found = []
    for recomputed in (False, True):
        model: Any = attached("llama", "DoRA", 0.1, lean=True)
        if recomputed:
            model.gradient_checkpointing_enable({"use_reentrant": False})
        found.append(learned(model, CASES["llama"].inputs()))
    torch.testing.assert_close(found[1][0], found[0][0], rtol=1e-6, atol=0)
    for name, gradient in found[0][1].items():
        torch.testing.assert_close(found[1][1][name], gradient, rtol=1e-5, atol=1e-7)


def kept_bytes(model: nn.Module, inputs: dict[str, Any]) -> int:
    """Return what autograd keeps of a forward pass."""
    counted = Kept(own_storages(model))
    with counted.counting(model):
        held = model(**inputs)
    del held
    return counted.bytes


@pytest.mark.parametrize(("method", "dropout"), ADAPTERS)
def test_a_layer_keeps_its_input_once_and_a_bit_for_each_dropped_number(method: str, dropout: float) -> None:
    class Layer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.head = nn.Linear(64, 32), nn.Identity()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.layer(x))

    rows, rank = 128, 8
    model = make(method, dropout=dropout, r=rank).attach(Layer(), AttachContext(head=("head",))).train()
    bits = 64 // 8 if dropout else 0
    narrow = rank if dropout else 0  # else the update is added to the weight, and it is computed in the backward pass
    magnitudes = 2 * 32 if method == "DoRA" else 0
    product = 32 if method == "DoRA" else 0
    expected = rows * (4 * (64 + narrow + product) + bits) + 4 * magnitudes
    assert kept_bytes(model, {"x": torch.randn(rows, 64, requires_grad=True)}) == expected


class Normed(nn.Module):
    """Two layers behind one norm, as queries and values are.

    Args:
        told: whether the norm says of what its output is made.
    """

    def __init__(self, *, told: bool) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.scale = nn.Parameter(1 + torch.rand(64))
        self.first, self.second, self.head = nn.Linear(64, 32), nn.Linear(64, 32), nn.Identity()
        self.told = told

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        made = rms_norm(x, self.scale, 1e-6)
        seen = made if self.told else made.view(made.shape)
        return self.head(self.first(seen) * self.second(seen))


@pytest.mark.parametrize(("method", "dropout"), ADAPTERS)
def test_behind_a_norm_layers_keep_what_the_norm_keeps(method: str, dropout: float) -> None:
    models = [
        make(method, dropout=dropout, init_lora_weights="gaussian")
        .attach(Normed(told=told), AttachContext(head=("head",)))
        .train()
        for told in (False, True)
    ]
    models[1].load_state_dict(models[0].state_dict())
    found = []
    for model in models:
        x = torch.randn(128, 64, generator=torch.Generator().manual_seed(4)).requires_grad_()
        found.append((*learned(model, {"x": x}), x.grad))
    assert torch.equal(found[0][0], found[1][0])
    assert all(torch.equal(gradient, found[1][1][name]) for name, gradient in found[0][1].items())
    assert torch.equal(found[0][2], found[1][2])
    own, told = (kept_bytes(model, {"x": torch.randn(128, 64, requires_grad=True)}) for model in models)
    assert own - told == 4 * 128 * 64


@pytest.mark.parametrize(("method", "dropout"), ADAPTERS)
def test_the_estimate_knows_what_is_kept(method: str, dropout: float) -> None:
    inputs = CASES["llama"].inputs()
    estimates = []
    for lean in (False, True):
        model = attached("llama", method, dropout, lean=lean)
        held = kept_bytes(model, inputs)
        estimate = activation_bytes(model.to("meta"), inputs, "cpu", Recomputed.NOTHING)
        assert estimate == pytest.approx(held, rel=0.01)
        estimates.append(estimate)
    own, lean_one = estimates
    assert lean_one < own * (0.99 if method == "LoRA" and not dropout else 0.8)


@pytest.mark.parametrize("trains_before", [True, False])
def test_ssf_keeps_the_output_of_a_layer_and_of_a_norm_what_that_keeps_alone(trains_before: bool) -> None:
    """A norm keeps its input and two numbers for each row; of the affine step, which SSF replaces, three vectors."""

    class Layer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm, self.layer, self.head = nn.LayerNorm(64), nn.Linear(64, 32), nn.Identity()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.layer(self.norm(x)))

    rows = 128
    model = make("SSF").attach(Layer(), AttachContext(head=("head",))).train()
    norm, scaled = rows * (64 + 2) + 3 * 64, rows * 32
    x = torch.randn(rows, 64, requires_grad=trains_before)
    assert kept_bytes(model, {"x": x}) == 4 * (norm + scaled)
