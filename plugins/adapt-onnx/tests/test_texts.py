"""Classifiers, taggers and answers as ONNX files, asked in onnxruntime in processes without adapt and torch."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

import adapt_core

from .contract import Make, OnnxContract


class TestTextsWithLora(OnnxContract):
    settings: ClassVar[Sequence[str]] = ("onnx_int8=true",)
    files: ClassVar[Sequence[str]] = ("model.onnx", "model_int8.onnx", "labels.json", "tokenizer.json")

    @pytest.fixture(scope="class")
    @classmethod
    def finished_run(cls, make: Make, tiny_encoder: Path, inbox: Path) -> Path:
        base = {"TASK": "text_classification", "MODEL_PATH": str(tiny_encoder), "CUSTOM_DATASET_PATH": str(inbox)}
        return make(**base, method="LoRA", r=4)

    def test_eight_bits_are_smaller_and_their_loss_is_told(self, written: Any) -> None:
        whole, eight = written.record["checks"]
        assert eight["name"] == "model_int8.onnx"
        assert eight["tolerance"] is None
        assert eight["bytes"] < whole["bytes"]
        assert whole["max_difference"] < 1e-5 < eight["max_difference"] < 1


def test_a_run_with_onnx_agrees_on_its_whole_validation_split(
    tmp_path: Path, tiny_encoder: Path, inbox: Path, python: Callable[..., Any]
) -> None:
    result = adapt_core.run(
        {
            **{"TASK": "text_classification", "MODEL_PATH": str(tiny_encoder), "CUSTOM_DATASET_PATH": str(inbox)},
            **{"method": "DoRA", "r": 4, "EPOCHS": 2, "LR": 0.01, "NUM_WORKERS": 0, "EXPORT": "onnx"},
            **{"OUTPUT_DIR": str(tmp_path / "run"), "SAVE_METHOD": "safetensors", "BATCH_SIZE": 8},
        }
    )
    (asked,) = result.exports["onnx"]["checks"]
    assert asked["inputs"] == "validation"
    assert asked["max_difference"] <= 1e-5
    texts = [json.loads(line)["text"] for line in (inbox / "validation.jsonl").read_text("utf-8").splitlines()]
    ours = [row["label"] for row in adapt_core.predict(tmp_path / "run", texts)]
    card = (tmp_path / "run" / "README.md").read_text(encoding="utf-8")
    lines = card.split("## onnx")[1].split("```python\n")[1].split("```")[0]
    assert 'Path("exports/onnx")' in lines or "Path('exports/onnx')" in lines
    many = lines.replace('["A text to classify."]', repr(texts))
    program = (
        "import sys\n"
        "for name in ('adapt_core', 'adapt_nlp', 'torch', 'transformers'):\n    sys.modules[name] = None\n"
        f"{many}\n"
        "print(json.dumps([labels['labels'][int(row.argmax())] for row in logits]))\n"
    )
    done = python(program, folder=tmp_path / "run")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == ours


class TestTagsWithSsf(OnnxContract):
    @pytest.fixture(scope="class")
    @classmethod
    def finished_run(cls, make: Make, tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
        rows = [{"tokens": ["Ada", "lived", "in", "London"], "ner_tags": ["B-PER", "O", "O", "B-LOC"]}] * 8
        data = tmp_path_factory.mktemp("tags")
        for split in ("train", "validation"):
            (data / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        base = {"TASK": "text_classification", "subtask": "ner", "MODEL_PATH": str(tiny_encoder)}
        return make(
            **base, CUSTOM_DATASET_PATH=str(data), method="SSF", input_column="tokens", target_column="ner_tags"
        )


class TestAnswers(OnnxContract):
    files: ClassVar[Sequence[str]] = ("model.onnx", "tokenizer.json")

    @pytest.fixture(scope="class")
    @classmethod
    def finished_run(cls, make: Make, tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
        answer = {"text": ["London"], "answer_start": [22]}
        row = {"question": "Where did Ada live?", "context": "Ada Lovelace lived in London.", "answers": answer}
        data = tmp_path_factory.mktemp("answers")
        for split in ("train", "validation"):
            (data / f"{split}.jsonl").write_text((json.dumps(row) + "\n") * 8, encoding="utf-8")
        base = {"TASK": "question_answering", "MODEL_PATH": str(tiny_encoder), "CUSTOM_DATASET_PATH": str(data)}
        return make(**base, max_length=64, doc_stride=16)
