"""Small models of each family that can be written, with weights that training could have made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

TEXTS = [
    "The harbour was quiet, and the captain counted 42 crates.",
    "A storm came from the west; the crew tied the ropes.",
    "Soil, seeds and water: that is all a garden wants.",
]

END = "<|endoftext|>"

SIZES: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "head_dim": 16,
    "tie_word_embeddings": False,
}


def tokenizer_of(texts: list[str] = TEXTS) -> Any:
    """Return a byte-level tokenizer whose first token begins and ends texts.

    It has GPT-2's name: without such a token, transformers adds one, beyond the embeddings, when it reads a GGUF file.
    """
    from tokenizers import ByteLevelBPETokenizer
    from transformers import PreTrainedTokenizerFast

    pairs = ByteLevelBPETokenizer()
    pairs.train_from_iterator(texts, vocab_size=400, special_tokens=[END], show_progress=False)
    return PreTrainedTokenizerFast(tokenizer_object=pairs._tokenizer, eos_token=END, bos_token=END)


@pytest.fixture(scope="session")
def small() -> Callable[..., tuple[Any, Any]]:
    """Makes a small model of a type, and its tokenizer."""

    def make(model_type: str, **sizes: Any) -> tuple[Any, Any]:
        from transformers import AutoConfig, AutoModelForCausalLM

        tokenizer = tokenizer_of()
        given = {**SIZES, "vocab_size": len(tokenizer), "bos_token_id": 0, "eos_token_id": 0, **sizes}
        if model_type == "gpt2":
            # A reader of GGUF knows GPT-2 of 1024 positions alone.
            given = {"n_embd": 64, "n_layer": 2, "n_head": 4, "vocab_size": len(tokenizer), "n_positions": 1024}
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(model_type, **given)).eval()
        with torch.no_grad():
            for name, weight in model.named_parameters():
                if weight.ndim == 1:
                    weight.add_(torch.randn_like(weight) * 0.1)
                elif "lm_head" not in name:
                    weight.mul_(3)
        return model, tokenizer

    return make


@pytest.fixture
def read_again() -> Callable[[Path], Any]:
    """Reads a GGUF file by transformers, in float32."""

    def read(path: Path) -> Any:
        from transformers import AutoModelForCausalLM

        return AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32).eval()

    return read
