"""A small run of text classification, for the methods and quantizers to be tested on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

METHODS = ("LoRA", "DoRA", "SSF")


def config(tiny_encoder: Path, inbox: Path, output: Path, **more: Any) -> dict[str, Any]:
    return {
        "TASK": "text_classification",
        "MODEL_PATH": str(tiny_encoder),
        "CUSTOM_DATASET_PATH": str(inbox),
        "OUTPUT_DIR": str(output),
        "MAX_TRAIN_SAMPLES": 64,
        "MAX_EVAL_SAMPLES": 32,
        "EPOCHS": 2,
        "BATCH_SIZE": 16,
        "LR": 1e-2,
        "NUM_WORKERS": 0,
        "SAVE_METHOD": "safetensors",
        **more,
    }
