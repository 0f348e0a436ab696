"""Layers that keep less for the backward pass: the loss and every gradient are those of the model's own layers."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest

pytest.importorskip("transformers", reason="needs the extra adapt-core[hf]")

import torch
import transformers
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import PreTrainedModel

from adapt_core.estimate.activations import Kept, Recomputed, own_storages
from adapt_core.hf.loop.lean_layers import lean_forwards, lean_layers
from adapt_core.testing.equality import assert_same_gradients, float32_as_float64

WORDS = 97
SIZES = {
    "vocab_size": WORDS,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
HEADS_OF_EIGHT = {"Qwen3", "Gemma", "Gemma2"}
LEAN = {"Llama": 7, "Mistral": 7, "Qwen2": 7, "Qwen3": 11, "Gemma": 2, "Gemma2": 2, "Cohere": 2, "Olmo2": 11, "Phi3": 5}
"""Families, and their lean layers: gated layers and RMS norms. Those of Gemma add 1 to their weights."""
LEAN_NORMS = {"T5": 12}
"""An encoder-decoder: two norms in each layer of the encoder, three in the decoder's, and two behind them."""
T5 = {
    "vocab_size": WORDS,
    "d_model": 32,
    "d_kv": 8,
    "d_ff": 64,
    "num_layers": 2,
    "num_heads": 4,
    "dropout_rate": 0.0,
    "decoder_start_token_id": 0,
}


def built(family: str) -> PreTrainedModel:
    """Return a small model in training mode whose weights all matter."""
    torch.manual_seed(0)
    sizes = {**SIZES, "head_dim": 8} if family in HEADS_OF_EIGHT else T5 if family == "T5" else SIZES
    config = getattr(transformers, f"{family}Config")(**sizes)
    kind = "ForConditionalGeneration" if family == "T5" else "ForCausalLM"
    model: PreTrainedModel = getattr(transformers, family + kind)(config)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.2) if parameter.dim() > 1 else nn.init.uniform_(parameter, 0.5, 1.5)
    return model.train()


def learned(model: nn.Module, forwards: Any) -> tuple[float, dict[str, torch.Tensor]]:
    """Return the loss of a batch and the gradient of each parameter."""
    model.zero_grad()
    ids = torch.randint(3, WORDS, (3, 17), generator=torch.Generator().manual_seed(0))
    with lean_layers(forwards):
        loss = model(input_ids=ids, labels=ids).loss
    loss.backward()
    return float(loss), {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def products(model: nn.Module, forwards: Any) -> int:
    """Return the products of matrices in a training step."""
    ids = torch.randint(3, WORDS, (3, 17), generator=torch.Generator().manual_seed(0))

    class Products(TorchDispatchMode):
        count = 0

        def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            self.count += function.overloadpacket in (torch.ops.aten.mm, torch.ops.aten.addmm)
            return function(*args, **(kwargs or {}))

    with lean_layers(forwards), Products() as counted:
        model(input_ids=ids, labels=ids).loss.backward()
    return counted.count


def assert_equal(model: nn.Module, tolerance: float) -> None:
    """Check loss and gradients; in float64 with norms and losses of float64, which families compute in float32."""
    forwards = lean_forwards(model)
    with nullcontext() if model.dtype == torch.float32 else float32_as_float64(model):
        loss, gradients = learned(model, {})
        lean, found = learned(model, forwards)
    assert lean == pytest.approx(loss, rel=tolerance, abs=0)
    assert_same_gradients(found, gradients, tolerance)


@pytest.mark.parametrize("family", [*LEAN, *LEAN_NORMS])
def test_loss_and_gradients_are_the_models_own(family: str) -> None:
    model = built(family)
    assert len(lean_forwards(model)) == {**LEAN, **LEAN_NORMS}[family]
    assert_equal(model, 1e-5)


@pytest.mark.parametrize("family", [*LEAN, *LEAN_NORMS])
def test_in_float64_they_agree_to_1e_9(family: str) -> None:
    assert_equal(built(family).double(), 1e-9)


@pytest.mark.parametrize("family", ["GPT2", "Bart"])
def test_torchs_layer_norms_and_plain_layers_are_left_as_they_are(family: str) -> None:
    config = getattr(transformers, f"{family}Config")(
        **{"n_embd": 32, "n_layer": 1, "n_head": 4} if family == "GPT2" else {"d_model": 32, "encoder_layers": 1},
        vocab_size=WORDS,
    )
    assert lean_forwards(transformers.AutoModelForCausalLM.from_config(config)) == {}


def test_a_gate_without_an_activation_is_not_written_over() -> None:
    torch.manual_seed(0)
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**SIZES, hidden_act="linear")).train()
    assert len(lean_forwards(model)) == LEAN["Llama"]
    assert_equal(model, 1e-5)


@pytest.mark.parametrize("targets", [["q_proj"], ["down_proj", "gate_proj"]])
def test_adapters_train_as_in_the_models_own_layers(targets: list[str]) -> None:
    peft = pytest.importorskip("peft")
    config = peft.LoraConfig(r=2, target_modules=targets, init_lora_weights=False)
    model = peft.get_peft_model(built("Llama"), config)
    assert len(lean_forwards(model)) == LEAN["Llama"]
    assert_equal(model, 1e-5)


@pytest.mark.parametrize("targets", [[], ["down_proj", "gate_proj"]])
def test_a_recomputed_mlp_learns_the_same_to_the_last_bit(targets: list[str]) -> None:
    model: Any = built("Llama")
    if targets:
        peft = pytest.importorskip("peft")
        config = peft.LoraConfig(r=2, target_modules=targets, init_lora_weights=False, lora_dropout=0.5)
        model = peft.get_peft_model(model, config)

    def seeded(forwards: Any) -> tuple[float, dict[str, torch.Tensor]]:
        torch.manual_seed(0)
        return learned(model, forwards)

    loss, gradients = seeded(lean_forwards(model))
    again, found = seeded(lean_forwards(model, recompute_mlp=True))
    assert again == loss
    for name, gradient in gradients.items():
        assert torch.equal(found[name], gradient), name


def test_an_mlp_is_recomputed_up_to_its_last_product() -> None:
    """In each of the two layers gate and up are multiplied once more; the frozen last product is needed by nothing."""
    peft = pytest.importorskip("peft")
    model = peft.get_peft_model(built("Llama"), peft.LoraConfig(r=2, target_modules=["q_proj"]))
    more = products(model, lean_forwards(model, recompute_mlp=True)) - products(model, lean_forwards(model))
    assert more == 2 * SIZES["num_hidden_layers"]


def test_a_recomputed_mlp_keeps_its_input_alone() -> None:
    model = built("Llama")
    for parameter in model.model.layers.parameters():
        parameter.requires_grad_(False)

    def kept(recomputed: Recomputed) -> int:
        counted = Kept(own_storages(model))
        ids = torch.zeros((2, 16), dtype=torch.long)
        forwards = lean_forwards(model, recompute_mlp=recomputed is Recomputed.MLP)
        with lean_layers(forwards), counted.counting(model, recomputed):
            model(input_ids=ids)
        return counted.bytes

    numbers = 2 * SIZES["intermediate_size"]  # gate and up; those of one layer are there in the backward pass
    further = SIZES["num_hidden_layers"] - 1
    saved = further * numbers - SIZES["num_hidden_layers"] * SIZES["hidden_size"]
    assert kept(Recomputed.NOTHING) - kept(Recomputed.MLP) == 4 * 2 * 16 * saved


def test_a_model_without_gated_layers_is_told(caplog: pytest.LogCaptureFixture) -> None:
    model = transformers.BertForMaskedLM(
        transformers.BertConfig(vocab_size=9, hidden_size=8, num_hidden_layers=1, num_attention_heads=2)
    )
    assert not lean_forwards(model, recompute_mlp=True)
    assert "RECOMPUTE_MLP has no effect: BertModel has no gated layers" in caplog.text


def test_recomputed_blocks_compute_no_more_than_the_models_own() -> None:
    """A frozen block is computed again up to its last product, which nothing needs."""
    peft = pytest.importorskip("peft")
    model = peft.get_peft_model(built("Llama"), peft.LoraConfig(r=2, target_modules=["q_proj"]))
    model.gradient_checkpointing_enable({"use_reentrant": False})
    assert 0 < products(model, lean_forwards(model)) <= products(model, {})


def test_less_is_kept() -> None:
    """Of a gated layer: neither the active gate nor the product. Of a norm: not the normalised states."""
    model = built("Llama")

    def kept(forwards: Any) -> int:
        counted = Kept(own_storages(model))
        ids = torch.zeros((2, 16), dtype=torch.long)
        with lean_layers(forwards), counted.counting(model):
            held = model(input_ids=ids).logits
        assert held.requires_grad
        return counted.bytes

    layers, norms = SIZES["num_hidden_layers"], 2 * SIZES["num_hidden_layers"] + 1
    saved = 2 * layers * SIZES["intermediate_size"] + norms * SIZES["hidden_size"]
    assert kept({}) - kept(lean_forwards(model)) == 4 * 2 * 16 * saved


def test_under_autocast_the_models_own_layers_compute() -> None:
    model = built("Llama")
    with torch.autocast("cpu", torch.bfloat16):
        own = learned(model, {})
        lean = learned(model, lean_forwards(model))
    assert lean[0] == own[0]
    assert all(torch.equal(lean[1][name], gradient) for name, gradient in own[1].items())


def test_a_layer_that_somebody_listens_to_computes_itself() -> None:
    model: Any = built("Llama")
    seen: list[torch.Size] = []
    down = model.model.layers[0].mlp.down_proj
    down.register_forward_hook(lambda layer, inputs, output: seen.append(output.shape))
    learned(model, lean_forwards(model))
    assert seen == [torch.Size([3, 17, SIZES["hidden_size"]])]


def test_layers_of_other_code_are_left_as_they_are() -> None:
    class Llama(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gate_proj, self.up_proj, self.down_proj = (nn.Linear(4, 4) for _ in range(3))
            self.act_fn = nn.SiLU()

    assert lean_forwards(Llama()) == {}


def test_the_layers_are_their_own_again_behind_the_context() -> None:
    model = built("Llama")
    with pytest.raises(ZeroDivisionError), lean_layers(lean_forwards(model)):
        raise ZeroDivisionError
    assert not any("forward" in vars(layer) for layer in model.modules())
