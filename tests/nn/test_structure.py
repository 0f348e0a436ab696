"""Heads, blocks and last layers, read from models of many families."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from adapt_core.errors import InputError
from adapt_core.nn.structure import blocks, find_head, full_precision_modules, last_layers, untie_head

SIZES: dict[str, dict[str, Any]] = {
    "bert": {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 16},
    "distilbert": {"dim": 16, "n_layers": 3, "n_heads": 2, "hidden_dim": 16},
    "roberta": {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 16},
    "gpt2": {"n_embd": 16, "n_layer": 3, "n_head": 2},
    "llama": {
        "hidden_size": 16,
        "num_hidden_layers": 3,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "intermediate_size": 16,
    },
    "t5": {"d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 3, "num_heads": 2, "is_gated_act": False},
    "bart": {
        "d_model": 16,
        "encoder_layers": 3,
        "decoder_layers": 3,
        "encoder_attention_heads": 2,
        "decoder_attention_heads": 2,
        "encoder_ffn_dim": 16,
        "decoder_ffn_dim": 16,
    },
}


def hf(auto: str, kind: str, **options: Any) -> Any:
    transformers = pytest.importorskip("transformers")
    config = transformers.AutoConfig.for_model(kind, vocab_size=50, pad_token_id=0, **SIZES[kind], **options)
    return getattr(transformers, auto).from_config(config)


@pytest.mark.parametrize(
    ("kind", "head"),
    [
        ("bert", ("classifier",)),
        ("distilbert", ("pre_classifier", "classifier")),
        ("roberta", ("classifier",)),
        ("gpt2", ("score",)),
        ("llama", ("score",)),
        ("t5", ("classification_head",)),
        ("bart", ("classification_head",)),
    ],
)
def test_the_head_of_a_sequence_classifier_is_found_by_structure(kind: str, head: tuple[str, ...]) -> None:
    assert find_head(hf("AutoModelForSequenceClassification", kind)) == head


@pytest.mark.parametrize(
    ("auto", "kind", "head"),
    [
        ("AutoModelForCausalLM", "gpt2", ("lm_head",)),
        ("AutoModelForCausalLM", "llama", ("lm_head",)),
        ("AutoModelForSeq2SeqLM", "t5", ("lm_head",)),
        ("AutoModelForTokenClassification", "bert", ("classifier",)),
        ("AutoModelForQuestionAnswering", "bert", ("qa_outputs",)),
    ],
)
def test_other_heads_are_found_too(auto: str, kind: str, head: tuple[str, ...]) -> None:
    assert find_head(hf(auto, kind)) == head


def test_the_head_of_a_plain_module_is_its_last_leaf_with_parameters() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2), nn.Softmax(-1))
    assert find_head(model) == ("2",)
    assert find_head(nn.ReLU()) == ()


@pytest.mark.parametrize("kind", ["bert", "distilbert", "gpt2", "llama"])
def test_blocks_are_the_longest_repeated_list(kind: str) -> None:
    model = hf("AutoModelForSequenceClassification", kind)
    found = blocks(model, find_head(model))
    assert len(found) == 3
    assert found[0].endswith(".0")


def test_more_last_layers_take_blocks_from_the_end_and_what_lies_behind_them() -> None:
    model = hf("AutoModelForSequenceClassification", "llama")
    head = find_head(model)
    assert last_layers(model, head, 1) == ("score",)
    assert last_layers(model, head, 3) == ("model.layers.1", "model.layers.2", "model.norm", "score")
    with pytest.raises(InputError, match=r"LAST_LAYERS: 5 asks for more layers .* 3 blocks"):
        last_layers(model, head, 5)


@pytest.mark.parametrize("kind", ["t5", "bart"])
def test_the_last_block_of_an_encoder_and_decoder_is_the_decoders(kind: str) -> None:
    model = hf("AutoModelForSeq2SeqLM", kind)
    found = blocks(model, find_head(model))
    assert len(found) == 6
    assert ["encoder" in name for name in found] == [True] * 3 + [False] * 3
    assert not any("encoder." in name for name in last_layers(model, find_head(model), 2) if "decoder" not in name)


def test_stages_are_not_blocks_and_downsampling_is_none() -> None:
    def block() -> nn.Module:
        return nn.TransformerEncoderLayer(4, 1, 4)

    class Stage(nn.Module):
        def __init__(self, depth: int) -> None:
            super().__init__()
            self.downsample = nn.Linear(4, 4)
            self.blocks = nn.ModuleList(block() for _ in range(depth))

    model = nn.Sequential()
    model.stages = nn.ModuleList([Stage(3), Stage(1)])
    model.norm = nn.LayerNorm(4)
    model.head = nn.Linear(4, 2)
    found = blocks(model, ("head",))
    assert found == ["stages.0.blocks.0", "stages.0.blocks.1", "stages.0.blocks.2", "stages.1.blocks.0"]
    assert last_layers(model, ("head",), 2) == ("stages.1.blocks.0", "norm", "head")


def test_layers_with_lists_inside_are_blocks_themselves() -> None:
    """A MobileBERT layer repeats its feed-forward, and one of Mixtral its experts."""
    transformers = pytest.importorskip("transformers")
    sizes = {**SIZES["bert"], "vocab_size": 50}
    options = {"embedding_size": 8, "intra_bottleneck_size": 16, "num_feedforward_networks": 4}
    config = transformers.AutoConfig.for_model("mobilebert", **sizes, **options)
    model = transformers.AutoModelForSequenceClassification.from_config(config)
    assert blocks(model, find_head(model)) == [f"mobilebert.encoder.layer.{n}" for n in range(3)]
    experts = {"num_local_experts": 3, "num_key_value_heads": 2, "pad_token_id": 0}
    model = transformers.AutoModelForCausalLM.from_config(
        transformers.AutoConfig.for_model("mixtral", **sizes, **experts)
    )
    assert blocks(model, find_head(model)) == [f"model.layers.{n}" for n in range(3)]


def test_a_tied_head_is_untied_to_be_trained_alone() -> None:
    model = hf("AutoModelForCausalLM", "gpt2")
    assert model.lm_head.weight is model.transformer.wte.weight
    assert untie_head(model, ("lm_head",)) == ["lm_head"]
    assert model.lm_head.weight is not model.transformer.wte.weight
    assert torch.equal(model.lm_head.weight, model.transformer.wte.weight)
    assert model.config.tie_word_embeddings is False
    assert untie_head(model, ("lm_head",)) == []


@pytest.mark.parametrize("save_method", ["save_pretrained", "safetensors", "state_dict"])
@pytest.mark.parametrize(
    ("auto", "kind"),
    [("AutoModelForCausalLM", "gpt2"), ("AutoModelForSeq2SeqLM", "t5"), ("AutoModelForSeq2SeqLM", "bart")],
)
def test_an_untied_head_survives_saving(tmp_path: Any, auto: str, kind: str, save_method: str) -> None:
    transformers = pytest.importorskip("transformers")
    from adapt_core.hf.models.save_formats import load_hf_model, save_hf_model

    model = hf(auto, kind).eval()
    untie_head(model, ("lm_head",))
    with torch.no_grad():
        model.lm_head.weight.add_(torch.randn(model.lm_head.weight.shape))
    save_hf_model(model, model.config, tmp_path, save_method)
    again = load_hf_model(getattr(transformers, auto), tmp_path, trust=False)
    assert torch.equal(again.lm_head.weight, model.lm_head.weight)
    assert torch.equal(again.get_input_embeddings().weight, model.get_input_embeddings().weight)
    inputs = {"input_ids": torch.arange(3, 9)[None]}
    if model.config.is_encoder_decoder:
        inputs["decoder_input_ids"] = torch.arange(3, 7)[None]
    assert torch.equal(again(**inputs).logits, model(**inputs).logits)


def test_what_is_not_quantized_is_the_head_and_what_is_new() -> None:
    new = ("pooler.dense.weight", "pooler.dense.bias", "head.bias", "scale")
    assert full_precision_modules(("head",), new) == ("head", "pooler.dense")
