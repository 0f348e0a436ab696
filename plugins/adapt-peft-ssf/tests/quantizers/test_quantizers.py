"""Every parameter of both quantizers takes effect, and bitsandbytes' traps are shut."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import torch

from adapt_core.errors import ConfigError, InputError

from ..adapters import context, make, quantized, quantizer
from ..models import CASES, logits, train
from adapt_peft_ssf import params
from adapt_peft_ssf.quantizers.bnb_4bit import Bnb4bit
from adapt_peft_ssf.quantizers.bnb_8bit import Bnb8bit
from adapt_peft_ssf.quantizers.conversion import quantized_layers


def config(bits: int, device: str = "cpu", skip: Any = ("classifier",), **values: Any) -> Any:
    return quantizer(bits, **values).hf_options(skip, device)["quantization_config"]


def layer(bits: int, **values: Any) -> Any:
    return next(module for _, module in quantized_layers(quantized(CASES["bert"], bits, **values)))


def test_the_defaults_are_those_of_the_specification() -> None:
    four, eight = params.Bnb4bitParams(), params.Bnb8bitParams()
    assert (four.load_in_4bit, four.bnb_4bit_quant_type, four.bnb_4bit_use_double_quant) == (False, "nf4", False)
    assert (eight.load_in_8bit, eight.llm_int8_threshold, eight.llm_int8_skip_modules) == (False, 6.0, None)
    assert (eight.llm_int8_enable_fp32_cpu_offload, eight.llm_int8_has_fp16_weight) == (False, False)


def test_the_compute_type_not_given_suits_the_device_and_is_said(caplog: pytest.LogCaptureFixture) -> None:
    four = Bnb4bit(params.Bnb4bitParams())
    with caplog.at_level(logging.INFO):
        on_gpu = four.hf_options((), "cuda:0")["quantization_config"]
        on_cpu = four.hf_options((), "cpu")["quantization_config"]
    assert on_gpu.bnb_4bit_compute_dtype is torch.float16
    assert on_cpu.bnb_4bit_compute_dtype in (torch.bfloat16, torch.float32)
    assert "bnb_4bit_compute_dtype is not given: float16" in caplog.text


def test_the_compute_type_given_is_obeyed() -> None:
    assert config(4, bnb_4bit_compute_dtype="bfloat16").bnb_4bit_compute_dtype is torch.bfloat16
    assert layer(4, bnb_4bit_compute_dtype="float16").compute_dtype is torch.float16


def test_the_quant_type_is_obeyed() -> None:
    for kind in ("nf4", "fp4"):
        assert config(4, bnb_4bit_quant_type=kind).bnb_4bit_quant_type == kind
        assert layer(4, bnb_4bit_quant_type=kind).weight.quant_state.quant_type == kind


def test_double_quantization_is_obeyed() -> None:
    for on in (False, True):
        assert config(4, bnb_4bit_use_double_quant=on).bnb_4bit_use_double_quant is on
        assert layer(4, bnb_4bit_use_double_quant=on).weight.quant_state.nested is on


def test_the_storage_type_is_obeyed() -> None:
    assert config(4, bnb_4bit_quant_storage="bfloat16").bnb_4bit_quant_storage is torch.bfloat16
    assert layer(4, bnb_4bit_quant_storage="float32").weight.dtype is torch.float32
    assert layer(4).weight.dtype is torch.uint8


def test_the_threshold_is_obeyed() -> None:
    assert config(8, llm_int8_threshold=2).llm_int8_threshold == 2
    assert layer(8, llm_int8_threshold=2.0).state.threshold == 2.0
    assert layer(8).state.threshold == 6.0


def test_weights_kept_in_float_are_not_codes() -> None:
    assert config(8, llm_int8_has_fp16_weight=True).llm_int8_has_fp16_weight is True
    assert layer(8, llm_int8_has_fp16_weight=True).weight.dtype.is_floating_point
    assert layer(8).weight.dtype is torch.int8


def test_dora_on_weights_kept_in_float_is_refused_with_the_reason() -> None:
    case = CASES["bert"]
    with pytest.raises(InputError, match="llm_int8_has_fp16_weight: false"):
        make("DoRA").attach(quantized(case, 8, llm_int8_has_fp16_weight=True), context(case))


@pytest.mark.parametrize("name", ["LoRA", "SSF"])
def test_on_weights_kept_in_float_it_trains_and_merges(name: str) -> None:
    case = CASES["bert"]
    method = make(name)
    model = method.attach(quantized(case, 8, llm_int8_has_fp16_weight=True), context(case))
    losses = train(model, case.inputs(), steps=5)
    assert losses[-1] < losses[0]
    with torch.no_grad():
        unmerged = logits(model, case.inputs())
    merged = method.merge(model, quantizer(8, llm_int8_has_fp16_weight=True)).eval()
    assert (logits(merged, case.inputs()) - unmerged).abs().max() <= 5e-2 * unmerged.abs().max()


def test_offloading_is_asked_for_on_a_gpu_and_said_to_have_no_effect_on_a_cpu(
    caplog: pytest.LogCaptureFixture,
) -> None:
    eight = Bnb8bit(params.Bnb8bitParams(llm_int8_enable_fp32_cpu_offload=True))
    on_gpu = eight.hf_options((), "cuda:0")
    assert on_gpu["quantization_config"].llm_int8_enable_fp32_cpu_offload is True
    assert on_gpu["device_map"] == "auto"
    on_cpu = eight.hf_options((), "cpu")
    assert on_cpu["quantization_config"].llm_int8_enable_fp32_cpu_offload is False
    assert "the whole model is on the CPU" in caplog.text


@pytest.mark.parametrize("bits", [4, 8])
def test_the_head_and_what_is_named_stay_in_full_precision(bits: int) -> None:
    assert config(bits, llm_int8_skip_modules=("pooler",)).llm_int8_skip_modules == ["classifier", "pooler"]
    names = {name for name, _ in quantized_layers(quantized(CASES["bert"], bits, llm_int8_skip_modules=("pooler",)))}
    assert len(names) == 12
    assert not any("pooler" in name or "classifier" in name for name in names)


@pytest.mark.parametrize("bits", [4, 8])
def test_a_model_without_a_linear_layer_is_an_error_that_says_so(bits: int) -> None:
    with pytest.raises(InputError, match="ConvNet has no Linear layer outside its head"):
        quantizer(bits).convert(CASES["conv net"].make(), ("fc",), "cpu")
    with pytest.raises(InputError, match="ConvNet has no Linear layer outside its head"):  # already in adapt check
        quantizer(bits).quantized_bytes(CASES["conv net"].make(), ("fc",))
    with pytest.raises(InputError, match="has no Linear layer outside its head"):
        quantizer(bits).prepare(CASES["conv net"].make(), False)


class GuardedLinear(torch.nn.Linear):
    """As mmcv derives one: what it computes is a Linear's."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x)


class HalvedLinear(torch.nn.Linear):
    """One that would not be what it was with another weight behind it."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) / 2


@pytest.mark.parametrize("bits", [4, 8])
def test_a_class_derived_from_linear_is_quantized_where_it_computes_what_linear_does(bits: int) -> None:
    plain = torch.nn.Sequential(GuardedLinear(64, 64), HalvedLinear(64, 64), torch.nn.Linear(64, 4))
    model = quantizer(bits).convert(plain, ("2",), "cpu")
    assert [name for name, _ in quantized_layers(model)] == ["0"]


@pytest.mark.parametrize("bits", [4, 8])
def test_inputs_may_have_any_number_of_dimensions(bits: int) -> None:
    layer = quantizer(bits).convert(torch.nn.Sequential(torch.nn.Linear(64, 32)), (), "cpu")
    given = torch.randn(2, 3, 4, 64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(layer(given), layer(given.flatten(0, 2)).unflatten(0, (2, 3, 4)))


def test_both_switches_together_are_an_error() -> None:
    import adapt_core

    with pytest.raises(ConfigError, match="load_in_8bit: contradicts load_in_4bit"):
        adapt_core.check({"TASK": "text_classification", "load_in_4bit": True, "load_in_8bit": True})


@pytest.mark.parametrize(("bits", "share"), [(4, 0.30), (8, 0.55)])
def test_the_linear_layers_shrink(bits: int, share: float) -> None:
    plain = torch.nn.Sequential(torch.nn.Linear(512, 512), torch.nn.Linear(512, 512), torch.nn.Linear(512, 4))
    model = quantizer(bits).convert(plain, ("2",), "cpu")
    layers = [module for _, module in quantized_layers(model)]
    assert len(layers) == 2
    held = sum(tensor.nbytes for module in layers for tensor in module.state_dict().values())
    in_bfloat16 = sum(2 * (512 * 512 + 512) for _ in layers)
    assert held <= share * in_bfloat16


def test_preparing_freezes_widens_and_lets_gradients_in() -> None:
    case = CASES["llama"]
    model = quantizer(4).convert(case.seeded().to(torch.bfloat16), case.context.head, "cpu")
    quantizer(4).prepare(model, True)
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert model.model.norm.weight.dtype is torch.float32
    assert model.model.embed_tokens.weight.dtype is torch.float32
    assert model.is_loaded_in_4bit
    assert model.model.embed_tokens(torch.tensor([[1, 2]])).requires_grad


def test_a_base_that_is_asked_before_it_is_prepared_trains() -> None:
    """As checks of the data ask it; a CPU with AVX512-BF16 would repack it then."""
    case = CASES["bert"]
    made = quantizer(4)
    base = made.convert(case.seeded(), case.context.head, "cpu").eval()
    with torch.no_grad():
        logits(base, case.inputs())
    for _, module in quantized_layers(base):
        assert not getattr(module.weight.quant_state, "packing_format_for_cpu", False)
    model = make("LoRA").attach(made.prepare(base, False), context(case))
    losses = train(model, case.inputs(), steps=3)
    assert losses[-1] < losses[0]


def test_a_four_bit_layer_is_not_repacked_by_an_evaluation() -> None:
    """Trap B: after a repacking, adapters get no gradient."""
    case = CASES["bert"]
    method = make("LoRA")
    model = method.attach(quantized(case, 4), context(case)).eval()
    for _, module in quantized_layers(model):
        assert module.support_avx512bf16_for_cpu is False
    with torch.no_grad():
        logits(model, case.inputs())
    for _, module in quantized_layers(model):
        assert not getattr(module.weight.quant_state, "packing_format_for_cpu", False)
    losses = train(model, case.inputs(), steps=3)
    assert losses[-1] < losses[0]


def test_dora_keeps_the_scales_of_eight_bit_layers() -> None:
    """Trap C: peft re-creates the weight without its scales."""
    case = CASES["bert"]
    method = make("DoRA")
    model = method.attach(quantized(case, 8), context(case)).eval()
    with torch.no_grad(), method.disable_adapter(model):
        logits(model, case.inputs())
    losses = train(model, case.inputs(), steps=3)
    assert losses[-1] < losses[0]
    assert all(module.state.SCB is not None for _, module in quantized_layers(model))


@pytest.mark.parametrize("bits", [4, 8])
def test_a_frozen_bias_keeps_its_bytes_whatever_the_inputs_are(bits: int) -> None:
    module = layer(bits, **({"bnb_4bit_compute_dtype": "bfloat16"} if bits == 4 else {}))
    module.bias.data = torch.randn_like(module.bias)
    before = module.bias.detach().clone()
    for dtype in (torch.bfloat16, torch.float32):
        module(torch.randn(3, 32, dtype=dtype))
    assert module.bias.dtype is before.dtype
    assert torch.equal(module.bias, before)


def test_a_method_start_that_rewrites_the_base_is_refused_on_a_quantized_one() -> None:
    case = CASES["bert"]
    with pytest.raises(InputError, match="cannot be done on a quantized base"):
        make("LoRA", init_lora_weights="pissa").attach(quantized(case, 4), context(case))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("name", ["LoRA", "DoRA", "SSF"])
def test_on_a_gpu_it_trains_and_merges(name: str, bits: int) -> None:
    case = CASES["bert"]
    made = quantizer(bits)
    base = made.prepare(made.convert(case.seeded(), case.context.head, "cuda:0"), False)
    method = make(name)
    model = method.attach(base, context(case)).to("cuda:0")
    inputs = {key: value.cuda() for key, value in case.inputs().items()}
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    losses = []
    for _ in range(6):
        target = torch.arange(8, device="cuda:0") % 3
        loss = torch.nn.functional.cross_entropy(logits(model, inputs), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    unmerged = logits(model.eval(), inputs)
    merged = method.merge(model, made).eval()
    assert (logits(merged, inputs) - unmerged).abs().max() <= 5e-2 * unmerged.abs().max()
