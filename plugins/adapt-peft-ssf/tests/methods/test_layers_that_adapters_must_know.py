"""Convolutions, parametrizations and shared weights: an adapter trains and merges what it says, or is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, weight_norm

from adapt_core.contracts import AttachContext
from adapt_core.errors import InputError

from ..adapters import METHODS, make, new_head
from ..models import CASES, Case, images, logits, train
from adapt_peft_ssf.layers import transforms_its_weight
from adapt_peft_ssf.methods.any_peft import AnyPeft
from adapt_peft_ssf.params import AnyPeftParams


class Standardized(nn.Conv2d):
    """A convolution of a standardized weight, by a name that does not say so."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        return nn.functional.conv2d(x, weight / weight.std((1, 2, 3), keepdim=True), self.bias, padding=1)


def _padded(mode: str) -> nn.Module:
    return nn.Conv2d(8, 8, 3, padding=1, padding_mode=mode)


LAYERS: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "dilated": (lambda: nn.Conv2d(8, 8, 3, padding=2, dilation=2), "dilated"),
    "circular padding": (lambda: _padded("circular"), "circular padding"),
    "reflected padding": (lambda: _padded("reflect"), "reflect padding"),
    "grouped": (lambda: nn.Conv2d(8, 8, 3, padding=1, groups=4), "grouped"),
    "depthwise": (lambda: nn.Conv2d(8, 8, 3, padding=1, groups=8), "grouped"),
    "standardized": (lambda: Standardized(8, 8, 3), "standardizes its weight"),
    "weight_norm": (lambda: parametrizations.weight_norm(nn.Conv2d(8, 8, 3, padding=1)), "computed anew"),
    "old weight_norm": (lambda: weight_norm(nn.Conv2d(8, 8, 3, padding=1)), "computed anew"),
    "spectral_norm": (lambda: parametrizations.spectral_norm(nn.Conv2d(8, 8, 3, padding=1)), "computed anew"),
}
"""Name -> a layer of 8 channels that keeps the size of an image, and why LoRA and DoRA leave it out."""
TAKEN_BY_SSF = ("dilated", "circular padding", "reflected padding", "grouped", "depthwise")


class Net(nn.Module):
    """A stem, one layer of a kind, and a classifier."""

    def __init__(self, middle: nn.Module) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.middle = middle
        self.fc = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.middle(self.stem(x).relu()).relu().mean((2, 3)))


def _case(kind: str) -> Case:
    return Case(lambda: Net(PLAIN[kind]() if kind in PLAIN else LAYERS[kind][0]()), images, new_head("fc"))


@pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm` is deprecated")
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", LAYERS)
def test_it_is_trained_and_merged_or_refused_with_the_reason(kind: str, method: str) -> None:
    case = _case(kind)
    if method == "SSF" and kind in TAKEN_BY_SSF:
        made = make(method, target_modules=("middle",))
        model = made.attach(case.seeded(), case.context)
        losses = train(model, case.inputs(), steps=8)
        assert losses[-1] < losses[0]
        trained = logits(model, case.inputs())
        merged = made.merge(model, None).eval()
        assert (logits(merged, case.inputs()) - trained).abs().max() <= 1e-5 * trained.abs().max()
        return
    with pytest.raises(InputError, match=LAYERS[kind][1]):
        make(method, target_modules=("middle",)).attach(case.seeded(), case.context)


@pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm` is deprecated")
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", LAYERS)
def test_beside_others_it_is_left_out_and_the_rest_merges(kind: str, method: str) -> None:
    case = _case(kind)
    made = make(method)
    model = made.attach(case.seeded(), case.context)
    assert any("stem" in name for name in made.trainable_groups(model)["adapter"])
    train(model, case.inputs(), steps=8)
    trained = logits(model, case.inputs())
    merged = made.merge(model, None).eval()
    assert (logits(merged, case.inputs()) - trained).abs().max() <= 1e-5 * trained.abs().max()


PLAIN: dict[str, Callable[[], nn.Module]] = {
    "3 x 3": lambda: nn.Conv2d(8, 8, 3, padding=1),
    "1 x 1": lambda: nn.Conv2d(8, 8, 1),
    "padded to the same size": lambda: nn.Conv2d(8, 8, 3, padding="same"),
}
"""Name -> a layer of 8 channels that LoRA and DoRA take."""
TAKEN_BY = {
    "LOHA": ("dilated", "grouped", "depthwise", *PLAIN),
    "LOKR": ("dilated", "grouped", "depthwise", *PLAIN),
    "HIRA": ("dilated", *PLAIN),
    "HRA": ("3 x 3", "1 x 1"),
    "BOFT": ("3 x 3", "1 x 1"),
    "OFT": ("1 x 1",),
    "IA3": ("dilated", "circular padding", "reflected padding", "grouped", "depthwise", *PLAIN),
}
"""Method of peft -> the layers that it trains and merges alike; others it forgets a part of, or fails on."""
OPTIONS: dict[str, dict[str, Any]] = {
    "BOFT": {"boft_block_size": 4},
    "OFT": {"oft_block_size": 4},
}
REFUSED = r"something else than|fails on|cannot merge|standardizes|computed anew|not support"


@pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm` is deprecated")
@pytest.mark.parametrize("name", TAKEN_BY)
@pytest.mark.parametrize("kind", [*LAYERS, *PLAIN])
def test_what_a_method_of_peft_would_merge_to_another_layer_is_refused(kind: str, name: str, tmp_path: Path) -> None:
    from peft import PeftModel

    case = _case(kind)
    made = AnyPeft(AnyPeftParams(peft_name=name, target_modules=("middle",), peft_options=OPTIONS.get(name)))
    if kind not in TAKEN_BY[name]:
        with pytest.raises(InputError, match=REFUSED):
            made.attach(case.seeded(), case.context)
        return
    model = made.attach(case.seeded(), case.context)
    losses = train(model, case.inputs(), steps=8)
    assert losses[-1] < losses[0]
    trained = logits(model, case.inputs())
    made.save_adapter(model, tmp_path)
    loaded = PeftModel.from_pretrained(case.seeded(), str(tmp_path)).eval()
    assert (logits(loaded, case.inputs()) - trained).abs().max() <= 1e-6 * trained.abs().max()
    merged = made.merge(model, None).eval()
    assert (logits(merged, case.inputs()) - trained).abs().max() <= 1e-5 * trained.abs().max()


def test_a_trial_leaves_model_and_random_numbers_alone_and_needs_no_values() -> None:
    made = AnyPeft(AnyPeftParams(peft_name="LOHA"))
    layer = LAYERS["circular padding"][0]()
    weight, state = layer.get_parameter("weight").clone(), torch.get_rng_state()
    reason = made.refusal(layer)
    assert reason == "peft's LOHA merges a convolution with circular padding to something else than it trains"
    assert torch.equal(layer.get_parameter("weight"), weight)
    assert torch.equal(torch.get_rng_state(), state)
    with torch.device("meta"):
        assert AnyPeft(AnyPeftParams(peft_name="LOHA")).refusal(LAYERS["circular padding"][0]()) == reason
        assert AnyPeft(AnyPeftParams(peft_name="LOHA")).refusal(LAYERS["grouped"][0]()) is None


def test_layers_of_libraries_are_asked_not_known_by_name() -> None:
    timm_layers = pytest.importorskip("timm.layers")
    bit = pytest.importorskip("transformers.models.bit.modeling_bit")
    assert transforms_its_weight(timm_layers.StdConv2d(4, 8, 3))
    assert transforms_its_weight(timm_layers.ScaledStdConv2dSame(4, 8, 3))
    assert transforms_its_weight(timm_layers.ScaledStdConv2d(4, 8, 3, gain_init=0.0))
    assert transforms_its_weight(bit.WeightStandardizedConv2d(4, 8, 3))
    assert not transforms_its_weight(timm_layers.Conv2dSame(4, 8, 3, stride=2))
    assert not transforms_its_weight(timm_layers.Conv2dSame(4, 8, 3, stride=2).bfloat16())
    with torch.device("meta"):  # as in adapt check
        assert transforms_its_weight(bit.WeightStandardizedConv2d(4, 8, 3))


class Attending(nn.Module):
    """torch's own encoder layer, whose evaluation reads the weights of its layers without calling them."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Linear(48, 16)
        self.encoder = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True)
        self.fc = nn.Linear(16, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.encoder(self.stem(x)[:, None])[:, 0])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ["encoder.self_attn.out_proj", "encoder.linear1"])
def test_what_torch_reads_without_a_call_is_refused(name: str, method: str) -> None:
    case = Case(Attending, lambda: {"x": torch.randn(8, 48)}, new_head("fc"))
    with pytest.raises(InputError, match="uses the weight of its layer without calling the layer"):
        make(method, target_modules=(name,)).attach(case.seeded(), case.context)


# --- shared weights -----------------------------------------------------------------------------------------------


def test_adapted_embeddings_leave_the_output_layer_as_it_was(tmp_path: Path) -> None:
    case = CASES["llama"]
    method = make("LoRA", target_modules=("embed_tokens", "q_proj"))
    model = method.attach(case.seeded(), case.context)
    head = model.get_output_embeddings().weight.detach().clone()
    train(model, case.inputs(), steps=5)
    trained = logits(model, case.inputs())
    method.save_adapter(model, tmp_path)

    merged = method.merge(model, None).eval()

    assert (logits(merged, case.inputs()) - trained).abs().max() <= 1e-5 * trained.abs().max()
    assert torch.equal(merged.lm_head.weight, head)
    assert not torch.equal(merged.model.embed_tokens.weight, head)
    later = make("LoRA")
    again = later.merge(later.load_adapter(case.seeded(), tmp_path), None).eval()
    assert (logits(again, case.inputs()) - trained).abs().max() <= 1e-5 * trained.abs().max()


@pytest.mark.parametrize("method", ["LoRA", "peft"])
def test_embeddings_that_encoder_and_decoder_share_are_refused(method: str) -> None:
    case = CASES["t5"]
    made: Any = make("LoRA", target_modules=("shared",))
    if method == "peft":
        made = AnyPeft(AnyPeftParams(peft_name="LOHA", target_modules=("shared",)))
    with pytest.raises(InputError, match=r"shares its weight with (encoder|decoder)\.embed_tokens"):
        made.attach(case.seeded(), case.context)


def test_a_layer_that_stands_in_two_places_is_refused() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Linear(48, 48)
            self.again = self.first
            self.other = nn.Linear(48, 48)
            self.head = nn.Linear(48, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.other(self.again(self.first(x).relu()).relu()).relu())

    case = Case(Twice, CASES["mlp"].inputs, new_head("head"))
    with pytest.raises(InputError, match="shares its weight with again"):
        make("LoRA", target_modules=("first",)).attach(case.seeded(), case.context)
    made = make("LoRA")
    model = made.attach(case.seeded(), case.context)
    assert {name.split(".lora_")[0] for name in made.trainable_groups(model)["adapter"]} == {"base_model.model.other"}


# --- statistics ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["LoRA", "DoRA"])
def test_batch_norms_whose_bias_alone_trains_keep_their_statistics(method: str, tmp_path: Path) -> None:
    """Plain peft finds no statistics in an adapter's file."""
    from peft import PeftModel

    case = CASES["conv net"]
    made = make(method, bias="all")
    model = made.attach(case.seeded(), case.context)
    train(model, case.inputs(), steps=5)
    trained = logits(model, case.inputs())
    made.save_adapter(model, tmp_path)
    loaded = PeftModel.from_pretrained(case.seeded(), str(tmp_path)).eval()
    assert (logits(loaded, case.inputs()) - trained).abs().max() <= 1e-6 * trained.abs().max()


def test_a_batch_norm_that_trains_in_full_is_saved_with_its_statistics(tmp_path: Path) -> None:
    from peft import PeftModel

    case = CASES["conv net"]
    made = make("LoRA", modules_to_save=("bn",))
    model = made.attach(case.seeded(), AttachContext(head=("fc",), new_parameters=case.context.new_parameters))
    train(model, case.inputs(), steps=5)
    trained = logits(model, case.inputs())
    made.save_adapter(model, tmp_path)
    loaded = PeftModel.from_pretrained(case.seeded(), str(tmp_path)).eval()
    assert (logits(loaded, case.inputs()) - trained).abs().max() <= 1e-6 * trained.abs().max()
