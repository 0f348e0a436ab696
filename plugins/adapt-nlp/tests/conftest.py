"""Fixtures of adapt-nlp's tests: a small real run that takes about a second."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .seq2seq_models import bart, bert2bert, t5

Keys = dict[str, Any]


@pytest.fixture
def keys(tiny_encoder: Path, inbox: Path, tmp_path: Path) -> Keys:
    """A config of text_classification on the small encoder: 4 steps of 16."""
    return {
        "TASK": "text_classification",
        "MODEL_PATH": str(tiny_encoder),
        "CUSTOM_DATASET_PATH": str(inbox),
        "OUTPUT_DIR": str(tmp_path / "run"),
        "MAX_TRAIN_SAMPLES": 64,
        "MAX_EVAL_SAMPLES": 32,
        "EPOCHS": 1,
        "LR": 0.01,
        "NUM_WORKERS": 0,
        "SAVE_METHOD": "safetensors",
    }


@pytest.fixture
def run(keys: Keys) -> Callable[..., Any]:
    """Runs that config with changes, in this process, and returns the result."""
    import adapt_core

    def run_with(resume: bool = False, **changes: Any) -> Any:
        return adapt_core.run({**keys, **changes}, resume=resume)

    return run_with


@pytest.fixture(scope="session")
def tiny_llama(tmp_path_factory: pytest.TempPathFactory, inbox: Path) -> Path:
    """A small real Llama (2 layers, 32 wide, tied head, random weights) with a byte-level tokenizer."""
    from transformers import LlamaConfig, LlamaForCausalLM

    return _decoder(
        tmp_path_factory.mktemp("tiny-llama"),
        inbox,
        lambda words: LlamaForCausalLM(
            LlamaConfig(
                vocab_size=words,
                hidden_size=32,
                intermediate_size=64,
                num_hidden_layers=2,
                num_attention_heads=4,
                num_key_value_heads=2,
                max_position_embeddings=1024,
                tie_word_embeddings=True,
                bos_token_id=0,
                eos_token_id=0,
                initializer_range=0.2,
            )
        ),
    )


@pytest.fixture(scope="session")
def tiny_gpt2(tmp_path_factory: pytest.TempPathFactory, inbox: Path) -> Path:
    """A small real GPT-2 (2 layers, 32 wide, learned positions, no dropout, random weights)."""
    from transformers import GPT2Config, GPT2LMHeadModel

    return _decoder(
        tmp_path_factory.mktemp("tiny-gpt2"),
        inbox,
        lambda words: GPT2LMHeadModel(
            GPT2Config(
                vocab_size=words,
                n_embd=32,
                n_layer=2,
                n_head=2,
                n_positions=256,
                bos_token_id=0,
                eos_token_id=0,
                resid_pdrop=0.0,
                embd_pdrop=0.0,
                attn_pdrop=0.0,
                initializer_range=0.2,
            )
        ),
    )


def _decoder(folder: Path, inbox: Path, build: Callable[[int], Any]) -> Path:
    """A model that `build` makes for a number of words, saved with a tokenizer of the inbox's texts."""
    import json

    import torch
    from tokenizers import ByteLevelBPETokenizer
    from transformers import PreTrainedTokenizerFast

    texts = [json.loads(line)["text"] for line in (inbox / "train.jsonl").read_text(encoding="utf-8").splitlines()]
    pairs = ByteLevelBPETokenizer()
    pairs.train_from_iterator(texts, vocab_size=400, special_tokens=["<|end|>"], show_progress=False)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=pairs._tokenizer, eos_token="<|end|>", bos_token="<|end|>")
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    build(pairs.get_vocab_size()).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_t5(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small real T5 (random weights) with a subword tokenizer."""
    return t5(tmp_path_factory.mktemp("tiny-t5"))


@pytest.fixture(scope="session")
def tiny_bart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small real BART (random weights, 128 positions) with a subword tokenizer."""
    return bart(tmp_path_factory.mktemp("tiny-bart"))


@pytest.fixture(scope="session")
def tiny_bert2bert(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> Path:
    """An encoder-decoder of two small BERTs."""
    return bert2bert(tmp_path_factory.mktemp("tiny-bert2bert"), tiny_encoder)
