"""How servers take an adapter, said from its config alone."""

from __future__ import annotations

import re
from typing import Any

import pytest

from adapt_core.report.serving import serving, vllm_rank, why_no_plain_lora, why_not_served

PLAIN = {"peft_type": "LORA", "r": 12, "bias": "none", "modules_to_save": None}


def test_a_plain_lora_has_the_lines_of_each_server() -> None:
    text = serving(PLAIN, "meta/small model", "runs/a b/adapter")
    assert "vllm serve 'meta/small model' --enable-lora --lora-modules 'adapted=runs/a b/adapter'" in text
    assert "--max-lora-rank 16" in text
    assert "text-generation-launcher --model-id 'meta/small model' --lora-adapters" in text
    assert "adapt export . --to gguf_adapter" in text


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"peft_type": "SSF"}, "it is of the kind SSF, and not a LoRA"),
        ({"use_dora": True}, "DoRA also scales each output by a trained magnitude"),
        ({"modules_to_save": ["score"]}, r"whole modules: score \(modules_to_save\)"),
        ({"bias": "all"}, "trained biases"),
        ({"lora_bias": True}, "trained biases"),
        ({"trainable_token_indices": [3]}, "embeddings of tokens"),
        ({"target_parameters": ["mlp.experts.gate_up_proj"]}, "parameters that are no layers: mlp.experts"),
    ],
)
def test_what_is_more_than_pairs_of_matrices_has_the_reason(more: dict[str, Any], reason: str) -> None:
    assert re.search(reason, why_no_plain_lora({**PLAIN, **more}) or "")
    text = serving({**PLAIN, **more}, "base", "adapter")
    assert "do not take this adapter" in text
    assert "adapt export . --to lora" in text


@pytest.mark.parametrize(
    ("targets", "reason"),
    [
        (["model.embed_tokens", "q_proj"], r"embeddings \(model\.embed_tokens\)"),
        (["lm_head", "q_proj"], r"the output layer \(lm_head\)"),
        (r".*(q_proj|lm_head)", r"the output layer \(lm_head"),
        (r"transformer\.(wte|h\.0\.attn)", r"embeddings \(transformer\.wte\)"),
    ],
)
def test_a_lora_of_embeddings_or_of_the_output_layer_has_no_lines_of_such_servers(
    targets: list[str] | str, reason: str
) -> None:
    config = {**PLAIN, "target_modules": targets}
    assert why_no_plain_lora(config) is None  # llama.cpp may take it
    assert re.search(reason, why_not_served(config) or "")
    text = serving(config, "base", "adapter")
    assert "--enable-lora" not in text
    assert "--lora-adapters" not in text
    assert "adapt export . --to save_pretrained" in text


@pytest.mark.parametrize("targets", [["q_proj", "v_proj"], "all-linear", r".*\.(q|v)_proj", None])
def test_other_layers_have_them(targets: list[str] | str | None) -> None:
    assert why_not_served({**PLAIN, "target_modules": targets}) is None
    assert "--enable-lora" in serving({**PLAIN, "target_modules": targets}, "base", "adapter")


def test_ranks_that_differ_are_evened_first() -> None:
    text = serving({**PLAIN, "rank_pattern": {"q": 4}}, "base", "adapter")
    assert "adapt export . --to vllm" in text
    assert "vllm serve" not in text


@pytest.mark.parametrize(("rank", "allowed"), [(1, 8), (8, 8), (9, 16), (100, 128), (600, 600)])
def test_the_smallest_rank_that_vllm_allows_is_named(rank: int, allowed: int) -> None:
    assert vllm_rank(rank) == allowed
