"""How servers take an adapter, said from its config alone."""

from __future__ import annotations

import re
from typing import Any

import pytest

from adapt_core.report.serving import serving, vllm_rank, why_no_plain_lora

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
    ],
)
def test_what_is_more_than_pairs_of_matrices_has_the_reason(more: dict[str, Any], reason: str) -> None:
    assert re.search(reason, why_no_plain_lora({**PLAIN, **more}) or "")
    text = serving({**PLAIN, **more}, "base", "adapter")
    assert "do not take this adapter" in text
    assert "adapt export . --to lora" in text


def test_ranks_that_differ_are_evened_first() -> None:
    text = serving({**PLAIN, "rank_pattern": {"q": 4}}, "base", "adapter")
    assert "adapt export . --to vllm" in text
    assert "vllm serve" not in text


@pytest.mark.parametrize(("rank", "allowed"), [(1, 8), (8, 8), (9, 16), (100, 128), (600, 600)])
def test_the_smallest_rank_that_vllm_allows_is_named(rank: int, allowed: int) -> None:
    assert vllm_rank(rank) == allowed
