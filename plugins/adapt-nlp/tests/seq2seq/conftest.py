"""Runs of summarization and translation on small real encoder-decoders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import adapt_core

from ..seq2seq_models import english, translations, write

Run = Callable[..., Any]


@pytest.fixture
def translate(tmp_path: Path, tiny_t5: Path) -> Run:
    """Runs translation on word by word translations, two steps, with changes."""
    data = write(tmp_path / "pairs", train=translations(32), validation=translations(8, 500))

    def run(**changes: Any) -> Any:
        keys = {
            "TASK": "translation",
            "MODEL_PATH": str(tiny_t5),
            "CUSTOM_DATASET_PATH": str(data),
            "OUTPUT_DIR": str(tmp_path / "run"),
            "OVERWRITE_OUTPUT_DIR": True,
            "MAX_STEPS": 2,
            "LR": 1e-2,
            "NUM_WORKERS": 0,
            "max_target_length": 16,
            "INTERVAL": "no",
        }
        return adapt_core.run({**keys, **changes})

    return run


@pytest.fixture
def summarize(tmp_path: Path, tiny_bart: Path) -> Run:
    """Runs summarization (the first two words of a document), two steps, with changes."""
    rows = [
        {"document": f"{english(n)} {english(n + 5)}", "summary": " ".join(english(n).split()[:2])} for n in range(32)
    ]
    data = write(tmp_path / "documents", train=rows, validation=rows[:8])

    def run(**changes: Any) -> Any:
        keys = {
            "TASK": "summarization",
            "MODEL_PATH": str(tiny_bart),
            "CUSTOM_DATASET_PATH": str(data),
            "OUTPUT_DIR": str(tmp_path / "run"),
            "OVERWRITE_OUTPUT_DIR": True,
            "MAX_STEPS": 2,
            "LR": 1e-2,
            "NUM_WORKERS": 0,
            "max_input_length": 64,
            "max_target_length": 16,
            "generation_max_length": 16,
            "INTERVAL": "no",
        }
        return adapt_core.run({**keys, **changes})

    return run
