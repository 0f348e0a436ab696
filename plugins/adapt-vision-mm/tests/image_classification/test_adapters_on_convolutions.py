"""Adapters on networks that standardize their weights (BiT), and on one in bfloat16 with BatchNorm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adapt_core.errors import InputError

pytest.importorskip("adapt_peft_ssf", reason="needs adapt-peft-ssf")


@pytest.fixture
def bit(tmp_path: Path) -> str:
    """Return a small BiT, whose convolutions all standardize their weights."""
    transformers = pytest.importorskip("transformers")
    config = transformers.BitConfig(
        embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], num_groups=4, layer_type="preactivation"
    )
    transformers.BitForImageClassification(config).save_pretrained(tmp_path / "bit")
    return str(tmp_path / "bit")


@pytest.mark.parametrize("method", ["LoRA", "DoRA"])
def test_a_network_of_standardized_convolutions_is_refused_before_training(run_hf: Any, bit: str, method: str) -> None:
    with pytest.raises(InputError, match="has no layer outside its head to adapt"):
        run_hf(MODEL_PATH=bit, model_type="bit", method=method)
    with pytest.raises(InputError, match="it standardizes its weight"):
        run_hf(MODEL_PATH=bit, model_type="bit", method=method, target_modules=["conv1"])


def test_ssf_takes_the_norms_of_such_a_network_and_merges(run_hf: Any, bit: str) -> None:
    result = run_hf(MODEL_PATH=bit, model_type="bit", method="SSF", LR=0.02)
    assert result.training_check["verdict"] == "learned"
    assert result.merge["relative_difference"] <= 1e-4


@pytest.mark.parametrize(
    "method", ["LoRA", pytest.param("DoRA", marks=pytest.mark.slow), pytest.param("SSF", marks=pytest.mark.slow)]
)
def test_a_network_in_bfloat16_says_what_its_merge_keeps(run: Any, method: str) -> None:
    rounded = run(method=method, DTYPE="bfloat16", LR=1e-4)
    whole = run(method=method, DTYPE="bfloat16", LR=1e-4, MERGE_DTYPE="float32", OVERWRITE_OUTPUT_DIR=True)
    assert whole.merge["kept"] > 0.99
    assert rounded.merge["kept"] < whole.merge["kept"]
    assert ("MERGE_DTYPE" in " ".join(rounded.warnings)) == (rounded.merge["kept"] < 0.9)
