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
