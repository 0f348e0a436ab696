"""RECOMPUTE_MLP: gated layers keep their input alone, and are computed again in the backward pass."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adapt_core.testing import small_models

from .short_runs import foretold_activations, losses

Keys = dict[str, Any]


@pytest.fixture
def keys(language_keys: Keys) -> Keys:
    return {**language_keys, "MAX_STEPS": 3, "LOGGING_STEPS": 1, "RECOMPUTE_MLP": True}


@pytest.mark.parametrize("method", ["full", "LoRA", "LoRA on four bits", "LoRA in bfloat16"])
def test_the_losses_are_the_same(keys: Keys, method: str) -> None:
    if method != "full":
        pytest.importorskip("adapt_peft_ssf", reason="needs adapt-peft-ssf")
    if "bits" in method:
        pytest.importorskip("bitsandbytes")
    keys |= {"method": method.split()[0], "load_in_4bit": "bits" in method, "BF16": "bfloat16" in method}
    assert losses(keys) == losses({**keys, "RECOMPUTE_MLP": False, "OVERWRITE_OUTPUT_DIR": True})


def test_adapt_check_foretells_what_is_kept(keys: Keys, tmp_path: Path, inbox_texts: list[str]) -> None:
    keys["MODEL_PATH"] = str(small_models.llama(tmp_path / "deep", inbox_texts, num_hidden_layers=8))

    assert foretold_activations(keys) < 0.9 * foretold_activations({**keys, "RECOMPUTE_MLP": False})
