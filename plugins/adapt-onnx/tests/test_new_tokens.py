"""The tokens of ADD_TOKENS in ONNX files: in the tokenizer beside them, with the embeddings that were trained."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

import adapt_core
from adapt_core.testing import small_models

from .contract import Make, OnnxContract

NEW = ["<gear>", "loan desk"]
PROMPT = "Once upon a <gear> the loan desk"

pytest.importorskip("adapt_peft_ssf", reason="needs adapt-peft-ssf")


def printed_by(written: Any, python: Callable[..., Any], example: str, prompt: str) -> str:
    """Return what the lines of an export print of another prompt."""
    lines = (written.folder / "README.md").read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    assert example in lines
    lines = lines.replace(example, prompt)
    done = python(f"import sys\nsys.modules['torch'] = None\n{lines}", folder=written.folder)
    assert done.returncode == 0, done.stderr
    return str(done.stdout).strip()


class OfNewTokens(OnnxContract):
    """A small Llama that learned them."""

    files: ClassVar[Sequence[str]] = ("model.onnx", "cache.json", "tokenizer.json")
    changes: ClassVar[dict[str, Any]] = {}

    @pytest.fixture(scope="class")
    @classmethod
    def finished_run(cls, make: Make, inbox_texts: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
        home = tmp_path_factory.mktemp("llama")
        for split in ("train", "validation"):
            rows = [json.dumps({"text": f"{NEW[0]} {text[:60]} {NEW[1]} {NEW[0]}"}) for text in inbox_texts[:24]]
            (home / f"{split}.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
        model = small_models.llama(home / "model", inbox_texts)
        base = {"TASK": "text_generation", "MODEL_PATH": str(model), "CUSTOM_DATASET_PATH": str(home)}
        small = {"packing": False, "max_new_tokens": 12, "temperature": 0.0, "EPOCHS": 4, "LR": 0.05}
        return make(**base, method="LoRA", r=4, ADD_TOKENS=NEW, **small, **cls.changes)

    def test_the_lines_write_what_predictions_are(
        self, written: Any, finished_run: Path, python: Callable[..., Any]
    ) -> None:
        (ours,) = adapt_core.predict(finished_run, [PROMPT])
        assert ours["generated_text"]
        assert printed_by(written, python, "Once upon a time", PROMPT) == ours["generated_text"].strip()


class TestMerged(OfNewTokens):
    changes: ClassVar = {"SAVE_METHOD": "save_pretrained"}


class TestNotMerged(OfNewTokens):
    changes: ClassVar = {"MERGE_ADAPTER": False}


class TestClassifier(OnnxContract):
    @pytest.fixture(scope="class")
    @classmethod
    def finished_run(cls, make: Make, inbox: Path, tiny_encoder: Path) -> Path:
        base = {"TASK": "text_classification", "MODEL_PATH": str(tiny_encoder), "CUSTOM_DATASET_PATH": str(inbox)}
        return make(**base, method="LoRA", r=4, ADD_TOKENS=["laser cutter"], MERGE_ADAPTER=False)
