"""Every parameter of LoRA and DoRA takes effect, and a wrong one is refused with what to do."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import torch
from peft.tuners.lora import LoraLayer

from adapt_core.contracts import AttachContext
from adapt_core.errors import InputError

from ..models import CASES, ConvNet, logits
from adapt_peft_ssf.methods.dora import Dora
from adapt_peft_ssf.methods.lora import Lora
from adapt_peft_ssf.params import DoraParams, LoraParams


def attached(case: str = "bert", method: type = Lora, **values: Any) -> Any:
    params = DoraParams if method is Dora else LoraParams
    return method(params(**values)).attach(CASES[case].seeded(), CASES[case].context)


def layers(model: Any) -> dict[str, Any]:
    return {name.removeprefix("base_model.model."): m for name, m in model.named_modules() if isinstance(m, LoraLayer)}


def test_the_defaults_are_those_of_the_specification() -> None:
    lora, dora = LoraParams(), DoraParams()
    assert (lora.r, lora.alpha, lora.dropout, lora.fan_in_fan_out, lora.init_lora_weights) == (8, 16, 0.1, False, True)
    assert (dora.r, dora.alpha, dora.dropout, dora.fan_in_fan_out) == (16, 8, 0.1, False)
    assert lora.target_modules is None
    assert dora.target_modules is None


def test_r_is_the_rank() -> None:
    layer = next(iter(layers(attached(r=3)).values()))
    assert layer.lora_A["default"].weight.shape[0] == 3


def test_alpha_over_r_scales_the_update() -> None:
    assert next(iter(layers(attached(r=4, alpha=6)).values())).scaling["default"] == 1.5


def test_dropout_works_on_the_adapters_input_while_training() -> None:
    model = attached(dropout=0.5, init_lora_weights=False).train()
    inputs = CASES["bert"].inputs()
    assert not torch.equal(logits(model, inputs), logits(model, inputs))
    model = attached(dropout=0.0, init_lora_weights=False).train()
    assert torch.equal(logits(model, inputs), logits(model, inputs))


@pytest.mark.parametrize("method", [Lora, Dora])
def test_convolutions_that_pad_their_inputs_themselves_train_with_dropout(method: type) -> None:
    """timm's Conv2dSame, in every tf_* network."""
    Conv2dSame = pytest.importorskip("timm").layers.Conv2dSame
    model = torch.nn.Sequential(Conv2dSame(3, 8, 3, stride=2), torch.nn.Flatten(), torch.nn.Linear(8 * 4 * 4, 2))
    params = (DoraParams if method is Dora else LoraParams)(dropout=0.5)
    adapted = method(params).attach(model, AttachContext(head=("2",), train_head=True)).train()
    loss = adapted(torch.randn(2, 3, 7, 7)).sum()
    loss.backward()
    gradients = [p.grad for name, p in adapted.named_parameters() if "lora_B" in name]
    assert all(gradient is not None and gradient.abs().sum() > 0 for gradient in gradients)


def test_dora_has_a_magnitude_and_lora_has_none() -> None:
    assert any("magnitude" in name for name, _ in attached(method=Dora).named_parameters())
    assert not any("magnitude" in name for name, _ in attached().named_parameters())


def test_target_modules_empty_means_every_layer_but_the_head() -> None:
    found = layers(attached())
    assert "bert.pooler.dense" in found
    assert "bert.encoder.layer.0.attention.self.query" in found
    assert not any(name.startswith("classifier") for name in found)
    assert len(found) == 2 * 6 + 1


def test_target_modules_all_linear_leaves_convolutions_out() -> None:
    model = ConvNet()
    model.add_module("more", torch.nn.Linear(3, 3))
    found = layers(Lora(LoraParams(target_modules="all-linear")).attach(model, CASES["conv net"].context))
    assert set(found) == {"more"}


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (("query", "value"), {"query", "value"}),
        ("query", {"query"}),
        ("query, value", {"query", "value"}),
        (r".*layer\.[01]\.attention\.self\.(key|query)", {"key", "query"}),
        (("self.key", r".*\.value"), {"key", "value"}),
    ],
)
def test_target_modules_takes_names_suffixes_and_regular_expressions(wanted: Any, expected: set[str]) -> None:
    found = layers(attached(target_modules=wanted))
    assert {name.rpartition(".")[2] for name in found} == expected
    assert len(found) == 2 * len(expected)


def test_a_full_name_does_not_catch_a_longer_one() -> None:
    model = torch.nn.Module()
    model.proj = torch.nn.Linear(4, 4)
    model.block = torch.nn.Sequential()
    model.block.add_module("proj", torch.nn.Conv2d(4, 4, 1, groups=2))
    model.head = torch.nn.Linear(4, 2)
    context = AttachContext(head=("head",), new_parameters=frozenset({"head.weight", "head.bias"}))
    assert set(layers(Lora(LoraParams()).attach(model, context))) == {"proj"}


def test_each_name_that_matches_nothing_is_an_error_with_the_nearest_names() -> None:
    with pytest.raises(InputError, match=r"'querry' matches no module\. Did you mean .*query"):
        attached(target_modules=("value", "querry"))


def test_a_name_of_something_that_cannot_be_adapted_is_an_error_that_says_why() -> None:
    with pytest.raises(InputError, match=r"LayerNorm, not a layer with a weight"):
        attached(target_modules=("LayerNorm",))


def test_naming_only_the_head_is_an_error() -> None:
    with pytest.raises(InputError, match="names only the head"):
        attached(target_modules=("classifier",))


def test_grouped_convolutions_are_left_out_and_named_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        found = layers(attached("conv net"))
    assert set(found) == {"stem", "last"}
    assert "leaves 1 layers out (grouped convolutions" in caplog.text
    assert "grouped" in caplog.text


def test_fan_in_fan_out_is_set_by_itself_for_conv1d() -> None:
    model = attached("gpt2")
    assert model.peft_config["default"].fan_in_fan_out is True
    assert attached("bert").peft_config["default"].fan_in_fan_out is False


def test_fan_in_fan_out_without_any_such_layer_is_said_to_have_no_use(caplog: pytest.LogCaptureFixture) -> None:
    attached(fan_in_fan_out=True)
    assert "fan_in_fan_out is not used" in caplog.text


def test_init_lora_weights_true_starts_as_the_base_and_false_does_not() -> None:
    base = logits(CASES["bert"].seeded(), CASES["bert"].inputs())
    torch.testing.assert_close(logits(attached().eval(), CASES["bert"].inputs()), base)
    assert not torch.allclose(logits(attached(init_lora_weights=False).eval(), CASES["bert"].inputs()), base)


@pytest.mark.parametrize("start", ["gaussian", "pissa", "pissa_niter_2", "olora", "orthogonal"])
def test_init_lora_weights_takes_pefts_own_starts(start: str, tmp_path: Any) -> None:
    case = CASES["bert"]
    method = Lora(LoraParams(init_lora_weights=start, dropout=0.0))
    model = method.attach(case.seeded(), case.context).eval()
    default = attached(init_lora_weights=True)
    name = next(name for name in method.trainable_groups(model)["adapter"] if "lora_A" in name)
    assert not torch.equal(model.get_parameter(name), default.get_parameter(name))
    with method.disable_adapter(model):
        torch.testing.assert_close(
            logits(model, case.inputs()), logits(case.seeded(), case.inputs()), rtol=1e-4, atol=1e-5
        )


def test_an_unknown_start_is_an_error_with_the_nearest_one() -> None:
    with pytest.raises(InputError, match="Did you mean pissa"):
        attached(init_lora_weights="pisa")


def test_auto_select_modules_is_what_an_empty_target_modules_means() -> None:
    assert set(layers(attached(auto_select_modules=True))) == set(layers(attached()))


def test_auto_select_modules_false_needs_target_modules() -> None:
    with pytest.raises(InputError, match="auto_select_modules: false"):
        attached(auto_select_modules=False)
    assert layers(attached(auto_select_modules=False, target_modules="query"))


def test_a_tied_head_that_trains_is_untied_and_saved_alone(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        model = attached("llama with its head")
    assert "untied" in caplog.text
    assert any("lm_head.modules_to_save" in name for name, p in model.named_parameters() if p.requires_grad)
    assert not model.get_base_model().model.embed_tokens.weight.requires_grad


def test_a_tied_head_that_is_adapted_leaves_the_embeddings_alone_when_merged() -> None:
    case = CASES["llama"]
    method = Lora(LoraParams(target_modules=("lm_head",), init_lora_weights=False, dropout=0.0))
    model = method.attach(case.seeded(), case.context).eval()
    unmerged = logits(model, case.inputs())
    merged = method.merge(model, None).eval()
    torch.testing.assert_close(logits(merged, case.inputs()), unmerged, rtol=1e-5, atol=1e-5)
    assert merged.config.tie_word_embeddings is False


def test_only_the_new_part_of_a_module_trains() -> None:
    case = CASES["bert"]
    context = AttachContext(head=("classifier",), new_parameters=frozenset({"classifier.weight"}), train_head=False)
    model = Lora(LoraParams()).attach(case.seeded(), context)
    saved = {n: p.requires_grad for n, p in model.named_parameters() if "modules_to_save" in n}
    assert {name.rpartition(".")[2]: trains for name, trains in saved.items()} == {"weight": True, "bias": False}


@pytest.mark.parametrize("method", [Lora, Dora])
def test_rslora_divides_alpha_by_the_root_of_r(method: type) -> None:
    assert next(iter(layers(attached(method=method, r=4, alpha=6, use_rslora=True)).values())).scaling["default"] == 3


@pytest.mark.parametrize("case", ["bert", "conv net"])
@pytest.mark.parametrize("bias", ["all", "lora_only"])
def test_biases_train_and_come_back_from_the_adapter(case: str, bias: str, tmp_path: Any) -> None:
    model = attached(case, bias=bias)
    trained = [name for name, parameter in model.named_parameters() if parameter.requires_grad and "bias" in name]
    adapted = {f"base_model.model.{name}.base_layer.bias" for name in layers(model)}
    assert adapted & set(trained)
    assert (bias == "all") == bool({n for n in trained if "modules_to_save" not in n} - adapted)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.1)
    method, inputs = Lora(LoraParams(bias=bias)), CASES[case].inputs()
    wanted = logits(model.eval(), inputs)
    method.save_adapter(model, tmp_path)
    loaded = method.load_adapter(CASES[case].seeded(), tmp_path).eval()
    assert torch.allclose(logits(loaded, inputs), wanted, atol=1e-5)
    assert torch.allclose(logits(method.merge(model, None).eval(), inputs), wanted, atol=1e-4)


def test_modules_to_save_train_whole_beside_the_head(tmp_path: Any) -> None:
    model = attached(modules_to_save=("pooler",))
    saved = [n for n, p in model.named_parameters() if p.requires_grad and "modules_to_save" in n]
    assert {name.split(".modules_to_save")[0].rpartition(".")[2] for name in saved} == {"pooler", "classifier"}
    with pytest.raises(InputError, match=r"modules_to_save: 'poler' matches no module\. Did you mean pooler"):
        attached(modules_to_save=("poler",))


def test_modules_to_save_that_share_a_weight_are_refused() -> None:
    with pytest.raises(InputError, match="shares its weight with"):
        attached("t5", modules_to_save=("shared",))


def test_layers_to_transform_names_the_layers() -> None:
    assert {name.split(".layer.")[1][0] for name in layers(attached(layers_to_transform=(1,)))} == {"1"}
    one = layers(attached(layers_to_transform=(1,), layers_pattern=("layer",)))
    assert one.keys() == layers(attached(layers_to_transform=(1,))).keys()
    with pytest.raises(InputError, match="there is no layer 9 to adapt"):
        attached(layers_to_transform=(9,))
    with pytest.raises(InputError, match="needs layers_to_transform"):
        attached(layers_pattern=("layer",))


def test_patterns_give_modules_their_own_r_and_alpha() -> None:
    model = layers(attached(r=4, alpha=4, rank_pattern={"query": 2}, alpha_pattern={"query": "8"}))
    for name, layer in model.items():
        rank, scale = (2, 4) if name.endswith("query") else (4, 1)
        assert (layer.r["default"], layer.scaling["default"]) == (rank, scale)
    with pytest.raises(InputError, match="rank_pattern: 'q_proj' matches no adapted module"):
        attached(rank_pattern={"q_proj": 2})
    with pytest.raises(InputError, match="alpha_pattern: query must be a whole number"):
        attached(alpha_pattern={"query": 0.5})
