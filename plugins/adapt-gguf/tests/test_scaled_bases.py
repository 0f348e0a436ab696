"""A base that comes as a GGUF file is trained with the rotary positions that the file says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("gguf")

from adapt_core.errors import InputError  # noqa: E402
from adapt_core.hf.models.gguf import convert_gguf  # noqa: E402
from adapt_core.hf.models.location import ModelSource  # noqa: E402

from adapt_gguf.models import write_model  # noqa: E402

Small = Callable[..., tuple[Any, Any]]

LLAMA3 = {
    "rope_type": "llama3",
    "factor": 32.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}
SCALINGS = {
    "Llama 3": LLAMA3,
    "YaRN": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32, "attention_factor": 1.2},
    "linear": {"rope_type": "linear", "factor": 4.0},
    "plain": {"rope_type": "default"},
}


def converted(file: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the model that a run would load."""
    from huggingface_hub import constants
    from transformers import AutoModelForCausalLM

    monkeypatch.setattr(constants, "HF_HOME", str(file.parent / "cache"))
    folder = convert_gguf(ModelSource(given=str(file), path=file)).path
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


@pytest.mark.parametrize("kind", SCALINGS)
def test_positions_are_scaled_as_the_file_says(
    kind: str, small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A base of 10 million: with it, pairs of so narrow heads turn slowly enough for Llama 3 to scale them.
    model, tokenizer = small("llama", rope_parameters={"rope_theta": 1e7, **SCALINGS[kind]})
    write_model(model, tokenizer, tmp_path / "base.gguf")
    again = converted(tmp_path / "base.gguf", monkeypatch)
    assert again.config.rope_parameters["rope_type"] == SCALINGS[kind]["rope_type"]
    ids = torch.arange(100)[None] * 7 % model.config.vocab_size
    with torch.no_grad():
        torch.testing.assert_close(again(input_ids=ids).logits, model(input_ids=ids).logits, rtol=1e-4, atol=1e-4)


def test_frequencies_that_are_no_published_ones_are_refused(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = {**LLAMA3, "original_max_position_embeddings": 100_000, "rope_theta": 1e7}
    model, tokenizer = small("llama", rope_parameters=own)
    write_model(model, tokenizer, tmp_path / "base.gguf")
    with pytest.raises(InputError, match=r"rope_freqs.weight, which are not those of a published Llama 3"):
        converted(tmp_path / "base.gguf", monkeypatch)
