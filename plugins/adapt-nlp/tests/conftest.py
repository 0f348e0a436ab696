"""Fixtures of adapt-nlp's tests: a small real run that takes about a second."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapt_core.testing import small_models

from .seq2seq_models import SENTENCES, bart, bert2bert

Keys = dict[str, Any]


@pytest.fixture(scope="session")
def small(tiny_encoder: Path, inbox: Path) -> Keys:
    """A config of text_classification on the small encoder, without OUTPUT_DIR: 4 steps of 16."""
    return {
        "TASK": "text_classification",
        "MODEL_PATH": str(tiny_encoder),
        "CUSTOM_DATASET_PATH": str(inbox),
        "MAX_TRAIN_SAMPLES": 64,
        "MAX_EVAL_SAMPLES": 32,
        "EPOCHS": 1,
        "LR": 0.01,
        "NUM_WORKERS": 0,
        "SAVE_METHOD": "safetensors",
    }


@pytest.fixture
def keys(small: Keys, tmp_path: Path) -> Keys:
    """That config with a folder of the test's own."""
    return {**small, "OUTPUT_DIR": str(tmp_path / "run")}


@pytest.fixture
def run(keys: Keys) -> Callable[..., Any]:
    """Runs that config with changes, in this process, and returns the result."""
    import adapt_core

    def run_with(resume: bool = False, **changes: Any) -> Any:
        return adapt_core.run({**keys, **changes}, resume=resume)

    return run_with


@pytest.fixture(scope="session")
def tiny_llama(tmp_path_factory: pytest.TempPathFactory, inbox_texts: list[str]) -> Path:
    """A small real Llama (2 layers, 32 wide, tied head, random weights) with a byte-level tokenizer."""
    return small_models.llama(
        tmp_path_factory.mktemp("tiny-llama"),
        inbox_texts,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        initializer_range=0.2,
    )


@pytest.fixture
def language_keys(tiny_llama: Path, tmp_path: Path) -> Keys:
    """A config of text_generation on the small Llama, in batches of four; each run replaces the one before."""
    return {
        "TASK": "text_generation",
        "MODEL_PATH": str(tiny_llama),
        "OUTPUT_DIR": str(tmp_path / "run"),
        "OVERWRITE_OUTPUT_DIR": True,
        "BATCH_SIZE": 4,
        "NUM_WORKERS": 0,
    }


@pytest.fixture(scope="session")
def tiny_gpt2(tmp_path_factory: pytest.TempPathFactory, inbox_texts: list[str]) -> Path:
    """A small real GPT-2 (2 layers, 32 wide, learned positions, no dropout, random weights)."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    folder = tmp_path_factory.mktemp("tiny-gpt2")
    tokenizer = small_models.end_marked_tokenizer(inbox_texts)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=len(tokenizer),
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
    GPT2LMHeadModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_t5(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small real T5 (random weights) with a subword tokenizer."""
    return small_models.t5(tmp_path_factory.mktemp("tiny-t5"), SENTENCES * 3, dropout_rate=0.0)


@pytest.fixture(scope="session")
def tiny_bart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small real BART (random weights, 128 positions) with a subword tokenizer."""
    return bart(tmp_path_factory.mktemp("tiny-bart"))


@pytest.fixture(scope="session")
def tiny_bert2bert(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> Path:
    """An encoder-decoder of two small BERTs."""
    return bert2bert(tmp_path_factory.mktemp("tiny-bert2bert"), tiny_encoder)
