"""Each method on one text classification, on bases in full precision, 8 and 4 bits."""

from __future__ import annotations

from typing import Any

from benchmarks.results import baselines
from benchmarks.results.cases.case import MINILM, Case

METHODS = "Methods and quantized bases"

_METHOD_KEYS: dict[str, dict[str, Any]] = {
    "full": {"method": "full", "LR": 1e-4},
    "last_layer": {"method": "last_layer", "LR": 1e-2},
    "LoRA": {"method": "LoRA", "LR": 1e-3},
    "DoRA": {"method": "DoRA", "LR": 1e-3},
    "SSF": {"method": "SSF", "LR": 1e-2},
    "SSF, random start": {"method": "SSF", "init_ssf_weights": "random", "LR": 1e-2},
    "IA3 (of peft)": {"method": "peft", "peft_name": "IA3", "LR": 1e-2},
}
_BASES: dict[str, dict[str, Any]] = {"": {}, ", 4 bit": {"load_in_4bit": True}, ", 8 bit": {"load_in_8bit": True}}

METHOD_CASES = [
    Case(
        name=f"{method}{base}",
        section=METHODS,
        data="ag_news",
        keys={
            "TASK": "text_classification",
            "MODEL_PATH": MINILM,
            "EPOCHS": 1,
            "MAX_TRAIN_SAMPLES": 640,
            "MAX_EVAL_SAMPLES": 300,
            **keys,
            **switch,
        },
        metric="accuracy",
        baseline=baselines.majority_class,
    )
    for base, switch in _BASES.items()
    for method, keys in _METHOD_KEYS.items()
    if not switch or method in ("LoRA", "DoRA", "SSF")
]
