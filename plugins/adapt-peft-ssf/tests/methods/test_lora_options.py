"""lora_options: every field of the installed LoraConfig is taken and takes effect, or is refused with the reason."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel
from torch import nn

from adapt_core.contracts import AttachContext
from adapt_core.errors import InputError

from ..adapters import make
from ..models import CASES, Case, logits, tokens, train
from adapt_peft_ssf.methods.lora_options import OWN_KEYS, REFUSED, TAKEN
from adapt_peft_ssf.params import LoraParams


def experts() -> nn.Module:
    from transformers import Qwen3MoeConfig, Qwen3MoeForCausalLM

    return Qwen3MoeForCausalLM(
        Qwen3MoeConfig(
            vocab_size=64,
            hidden_size=32,
            intermediate_size=48,
            moe_intermediate_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=1,
            head_dim=16,
            num_experts=4,
            num_experts_per_tok=2,
        )
    )


ALL = {**CASES, "experts": Case(experts, tokens, AttachContext(head=("lm_head",), train_head=False))}


def attached(case: str, options: dict[str, Any], **values: Any) -> tuple[Any, Any]:
    made = make("LoRA", r=4, alpha=8, lora_options=options, **values)
    torch.manual_seed(3)
    return made, made.attach(ALL[case].seeded(), ALL[case].context).eval()


def test_each_field_of_the_installed_lora_config_is_known() -> None:
    fields = {field.name for field in dataclasses.fields(LoraConfig) if field.init}
    assert fields == {*OWN_KEYS, *REFUSED, *TAKEN}
    assert not {*OWN_KEYS} & {*REFUSED} | {*OWN_KEYS} & {*TAKEN} | {*REFUSED} & {*TAKEN}


EFFECTS = [
    ("bert", {"exclude_modules": ["pooler.dense"]}),
    ("llama", {"trainable_token_indices": [3, 4]}),
    ("bert", {"trainable_token_indices": {"word_embeddings": [6, 7]}}),
    ("bert", {"lora_bias": True}),
    ("llama", {"velora_config": {"num_groups": 4}}),
    ("llama", {"use_bdlora": {"target_modules_bd_a": ["q_proj"], "nblocks": 2, "match_strict": False}}),
    ("experts", {"target_parameters": ["experts.gate_up_proj", "experts.down_proj"]}),
]


@pytest.mark.parametrize(("case", "options"), EFFECTS, ids=[next(iter(options)) for _, options in EFFECTS])
def test_an_option_changes_training_and_what_is_saved_and_merged_is_what_was_trained(
    case: str, options: dict[str, Any], tmp_path: Path
) -> None:
    made, model = attached(case, options)
    _, plain = attached(case, {})
    inputs = ALL[case].inputs()
    base = logits(ALL[case].seeded(), inputs)
    with made.disable_adapter(model):
        assert torch.equal(logits(model, inputs), base)
    plain_losses, losses = train(plain, inputs, steps=8), train(model, inputs, steps=8)
    assert losses[-1] < losses[0]
    assert losses[1:] != plain_losses[1:], "the option has no effect"
    with made.disable_adapter(model):
        frozen_head = not ALL[case].context.train_head
        assert not frozen_head or torch.equal(logits(model, inputs), base)
    trained = logits(model, inputs)
    made.save_adapter(model, tmp_path)
    torch.manual_seed(77)
    loaded = PeftModel.from_pretrained(ALL[case].seeded(), str(tmp_path)).eval()
    assert (logits(loaded, inputs) - trained).abs().max() < 1e-5
    merged = made.merge(model, None).eval()
    assert (logits(merged, inputs) - trained).abs().max() <= 1e-4 * trained.abs().max()


def test_tokens_that_train_change_their_rows_alone() -> None:
    made, model = attached("llama", {"trainable_token_indices": [3, 4]})
    before = ALL["llama"].seeded().get_input_embeddings().weight.detach()
    train(model, {"input_ids": torch.arange(2, 8)[None]}, steps=4)
    after = made.merge(model, None).get_input_embeddings().weight.detach()
    changed = (after != before).any(1).nonzero().flatten().tolist()
    assert changed == [3, 4]


def test_parameters_of_experts_get_adapters() -> None:
    _, model = attached("experts", {"target_parameters": ["experts.gate_up_proj"]})
    assert any("experts" in name and "lora_A" in name for name, _ in model.named_parameters())
    assert not any("experts" in name for name, p in attached("experts", {})[1].named_parameters() if "lora_A" in name)


def test_mica_trains_one_factor_of_the_update(tmp_path: Path) -> None:
    made, model = attached("llama", {}, init_lora_weights="mica")
    names = made.trainable_groups(model)["adapter"]
    assert names
    assert all("lora_A" in name for name in names)


@pytest.mark.parametrize(
    ("options", "more", "said"),
    [
        ({"lora_alpha": 3}, {}, "has a key of its own: alpha"),
        ({"use_dora": True}, {}, "method: DoRA"),
        *(({name: 1}, {}, "is not taken: .*Leave it out") for name in REFUSED),
        ({"exclude_module": ["x"]}, {}, "Did you mean exclude_modules?"),
        ({"exclude_modules": ["nothing"]}, {}, "names no adapted module"),
        ({"exclude_modules": 3}, {}, "must be a list of names"),
        ({"exclude_modules": [".*"]}, {}, "leaves no module"),
        ({"exclude_modules": ["("]}, {}, "no regular expression"),
        ({"lora_bias": "yes"}, {}, "must be true or false"),
        ({"lora_bias": True}, {"init_lora_weights": "gaussian"}, "goes with init_lora_weights true or false"),
        ({"trainable_token_indices": [64]}, {}, "has tokens 0 to 63, not 64"),
        ({"trainable_token_indices": [-1]}, {}, "must be a list of token numbers"),
        ({"trainable_token_indices": {"nothing": [1]}}, {}, "names no embedding layer"),
        ({"target_parameters": ["q_proj.weihgt"]}, {}, "names no parameter"),
        ({"target_parameters": ["norm.weight"]}, {}, "has 1 dimensions"),
        ({"target_parameters": ["q_proj.weight"]}, {"dropout": 0.1}, "Set dropout: 0"),
        ({"eva_config": {"rho": 1.5}}, {}, "without effect unless init_lora_weights is eva"),
        ({"eva_config": {"tau": 0.9}}, {"init_lora_weights": "eva"}, "has no 'tau' that takes effect"),
        ({"eva_config": {"rho": 0.5}}, {"init_lora_weights": "eva"}, "must be >= 1.0"),
        ({"eva_config": 3}, {"init_lora_weights": "eva"}, "must be a mapping"),
        ({"velora_config": {"num_groups": 0}}, {}, "should be positive"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_attached(
    options: dict[str, Any], more: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        attached("llama", options, **more)


def test_lora_bias_needs_biases_to_merge_into() -> None:
    with pytest.raises(InputError, match="adapted layers have no bias"):
        attached("llama", {"lora_bias": True})


def test_no_option_is_the_default() -> None:
    assert LoraParams().lora_options is None
