"""Rows that evaluations answer, with adapters and quantized bases: the texts that `generate` writes for each alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import adapt_core

pytest.importorskip("adapt_nlp", reason="needs adapt-nlp")

from adapt_core.testing import small_models

from adapt_nlp.text_generation.alike import Writer
from adapt_nlp.text_generation.predict import generate_continuations

Keys = dict[str, Any]
LABELS = ("yes", "no", "perhaps")


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    """A Llama of 2 layers that learns which of three words follows a question."""
    texts = [f"{'does it rain ' * (number % 5 + 1)}on day {number}?" for number in range(40)]
    small_models.llama(tmp_path / "llama", [*texts, *LABELS], hidden_size=64, intermediate_size=128)
    for name, chosen in (("train", texts), ("validation", texts[:20])):
        rows = [{"prompt": text, "completion": f" {LABELS[n % 3]}"} for n, text in enumerate(chosen)]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return {
        "TASK": "text_generation",
        "MODEL_PATH": str(tmp_path / "llama"),
        "CUSTOM_DATASET_PATH": str(tmp_path),
        "OUTPUT_DIR": str(tmp_path / "run"),
        "GENERATE_IN_EVALUATION": 12,
        "max_seq_length": 96,
        "max_new_tokens": 10,
        "BATCH_SIZE": 8,
        "EPOCHS": 3,
        "LR": 5e-3,
        "NUM_WORKERS": 0,
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "LoRA"},
        {"method": "LoRA", "packing": False},
        {"method": "SSF"},
        {"method": "LoRA", "BF16": True},
        {"method": "LoRA", "DTYPE": "bfloat16"},
        {"method": "LoRA", "load_in_4bit": True},
        {"method": "DoRA", "load_in_4bit": True, "bnb_4bit_compute_dtype": "float32"},
        {"method": "LoRA", "load_in_8bit": True},
    ],
    ids=lambda changes: ", ".join(f"{name} {value}" for name, value in changes.items()),
)
def test_the_texts_are_those_of_each_row_alone(keys: Keys, monkeypatch: pytest.MonkeyPatch, changes: Keys) -> None:
    compared = 0
    whole = Writer.together

    def together(self: Writer, rows: list[list[int]], least: float) -> list[str | None]:
        nonlocal compared
        texts = whole(self, rows, least)
        for row, text in zip(rows, texts, strict=True):
            assert text is None or [text] == generate_continuations(self.model, self.tokenizer, [row], self.params)
            compared += text is not None
        return texts

    monkeypatch.setattr(Writer, "together", together)
    if changes.get("load_in_4bit") or changes.get("load_in_8bit"):
        pytest.importorskip("bitsandbytes")
    result: Any = adapt_core.run({**keys, **changes})
    assert set(result.metrics["before"]) >= {"exact_match", "token_f1", "rougeL", "chrf"}
    assert result.metrics["after"]["loss"] < result.metrics["before"]["loss"]
    if changes == {"method": "LoRA"}:
        assert compared > 12
    assert torch.is_grad_enabled()
