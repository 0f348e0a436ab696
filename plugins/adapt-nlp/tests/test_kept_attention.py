"""KEEP_ATTENTION: under GRADIENT_CHECKPOINTING the results of attention are kept, and the rest is computed again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from adapt_core import api
from adapt_core.execution.components import Components
from adapt_core.nn.recomputation import CHECKPOINT_OPTIONS, is_attention
from adapt_core.testing import small_models

from .short_runs import DATA, foretold_activations, losses

Keys = dict[str, Any]


class Calls(TorchDispatchMode):
    """Counts the calls of fused attention in forward passes."""

    count = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        self.count += is_attention(func) and "backward" not in str(func)
        return func(*args, **(kwargs or {}))


@pytest.fixture
def keys(language_keys: Keys) -> Keys:
    return {**language_keys, "MAX_STEPS": 3, "LOGGING_STEPS": 1, "GRADIENT_CHECKPOINTING": True}


@pytest.mark.parametrize("method", ["full", "LoRA", "LoRA on four bits"])
def test_the_losses_are_the_same(keys: Keys, method: str) -> None:
    if method != "full":
        pytest.importorskip("adapt_peft_ssf", reason="needs adapt-peft-ssf")
    if "bits" in method:
        pytest.importorskip("bitsandbytes")
    keys |= {"method": method.split()[0], "load_in_4bit": "bits" in method}
    assert losses({**keys, "KEEP_ATTENTION": True}) == losses(keys)


@pytest.mark.parametrize(("options", "times"), [({"use_reentrant": False}, 2), (CHECKPOINT_OPTIONS, 1)])
def test_attention_is_computed_once(tiny_llama: Path, options: Keys, times: int) -> None:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tiny_llama).train()
    model.activation_checkpointing_enable(activation_checkpointing_kwargs=options)
    ids = torch.arange(12).reshape(2, 6)
    with Calls() as calls:
        model(input_ids=ids, labels=ids).loss.backward()
    assert calls.count == times * model.config.num_hidden_layers


def test_adapt_check_foretells_what_is_kept(keys: Keys, tmp_path: Path, inbox_texts: list[str]) -> None:
    keys["MODEL_PATH"] = str(small_models.llama(tmp_path / "deep", inbox_texts, num_hidden_layers=8))

    all_kept = foretold_activations({**keys, "GRADIENT_CHECKPOINTING": False})
    some_kept, recomputed = foretold_activations({**keys, "KEEP_ATTENTION": True}), foretold_activations(keys)
    task: Any = Components.of(api.check(keys, data=DATA)).task
    tokens = task.largest_batch(task.load_data())["input_ids"].numel()
    config = json.loads((tmp_path / "deep" / "config.json").read_text())
    numbers = config["hidden_size"] + config["num_attention_heads"]  # for each token, a sum of exponents of each head
    further = config["num_hidden_layers"] - 1  # the layer whose turn it is in the backward pass has its own anyway
    assert some_kept - recomputed == further * tokens * numbers * 4
    assert some_kept < all_kept
