"""COMPILE: the same run, its repeated blocks compiled by torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from torch import nn
from torch._dynamo.utils import counters

from adapt_core import api
from adapt_core.hf.loop.compiled_blocks import repeated_blocks

Keys = dict[str, Any]
CHATS = [
    {
        "messages": [
            {"role": "user", "content": f"Is {n} even?"},
            {"role": "assistant", "content": "no" if n % 2 else "yes"},
        ]
    }
    for n in range(24)
]


@pytest.fixture
def classes(keys: Keys) -> Keys:
    return {
        **keys,
        "MAX_TRAIN_SAMPLES": 32,
        "MAX_EVAL_SAMPLES": 16,
        "BATCH_SIZE": 8,
        "EPOCHS": 1,
        "LOGGING_STEPS": 1,
        "OVERWRITE_OUTPUT_DIR": True,
    }


@pytest.fixture
def chats(language_keys: Keys) -> Keys:
    return {**language_keys, "MAX_STEPS": 4, "LOGGING_STEPS": 1}


def losses(keys: Keys, **data: Any) -> tuple[list[float], Any]:
    """Run a config; return its training losses and its result."""
    result = api.run(keys, **data)
    lines = (Path(result.output_dir) / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [line["loss"] for line in map(json.loads, lines) if line["phase"] == "train"], result


def graphs() -> int:
    """Return how many graphs torch has compiled in this process."""
    return int(counters["stats"]["unique_graphs"])


@pytest.mark.parametrize("method", ["full", pytest.param("LoRA", marks=pytest.mark.slow)])
def test_a_language_model_learns_the_same(chats: Keys, method: str) -> None:
    data = {"data": {"train": CHATS, "validation": CHATS[:4]}}
    if method == "LoRA":
        pytest.importorskip("adapt_peft_ssf")
    plain, _ = losses({**chats, "method": method}, **data)
    before = graphs()
    compiled, result = losses({**chats, "method": method, "COMPILE": True}, **data)
    assert graphs() > before
    assert compiled == pytest.approx(plain, rel=1e-5)
    assert not [warning for warning in result.warnings if "COMPILE" in warning]


@pytest.mark.slow
def test_dropout_draws_the_same_numbers(classes: Keys) -> None:
    plain, expected = losses(classes)
    before = graphs()
    compiled, result = losses({**classes, "COMPILE": True})
    assert graphs() > before
    assert compiled == pytest.approx(plain, rel=1e-5)
    assert result.metrics["after"] == pytest.approx(expected.metrics["after"], rel=1e-5)


def test_where_nothing_can_be_compiled_the_run_goes_on_and_says_so(classes: Keys) -> None:
    import torch._inductor.config

    plain, _ = losses(classes)
    torch._dynamo.reset()
    with torch._inductor.config.patch({"cpp.cxx": ("no-such-compiler",), "fx_graph_cache": False}):
        given, result = losses({**classes, "COMPILE": True})
    assert given == plain
    [warning] = [warning for warning in result.warnings if "COMPILE" in warning]
    assert "InvalidCxxCompiler" in warning


def test_repeated_blocks_are_the_members_of_the_outermost_lists() -> None:
    def block() -> nn.Module:
        return nn.ModuleDict({"parts": nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])})

    layers = nn.ModuleList([block(), block(), block()])
    model = nn.ModuleDict(
        {"embed": nn.Linear(2, 2), "body": nn.ModuleDict({"layers": layers}), "head": nn.Linear(2, 2)}
    )
    assert repeated_blocks(model) == list(layers)
    assert repeated_blocks(nn.Sequential(nn.Linear(2, 2), nn.ReLU())) == []
