"""RECOMPUTE_MLP: gated layers keep their input alone, and are computed again in the backward pass."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from adapt_core import api
from adapt_core.testing import small_models

Keys = dict[str, Any]
TEXTS = [{"text": " ".join(f"word {n} and {n + k}" for k in range(40))} for n in range(24)]
DATA = {"train": TEXTS, "validation": TEXTS[:4]}


@pytest.fixture
def keys(language_keys: Keys) -> Keys:
    return {**language_keys, "MAX_STEPS": 3, "LOGGING_STEPS": 1, "RECOMPUTE_MLP": True}


def losses(keys: Keys) -> list[float]:
    """Return the training losses of a run."""
    folder = Path(api.run(keys, data=DATA).output_dir)
    lines = map(json.loads, (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines())
    return [line["loss"] for line in lines if line["phase"] == "train"]


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

    def foretold(**changes: Any) -> int:
        memory = api.estimate(api.check({**keys, **changes}, data=DATA)).memory
        assert memory is not None
        assert memory.activations is not None
        return memory.activations

    assert foretold() < 0.9 * foretold(RECOMPUTE_MLP=False)
