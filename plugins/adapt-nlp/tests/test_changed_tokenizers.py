"""Rows are those of the tokenizer as it is now, whatever an earlier run of the same data left in the cache."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from adapt_core.api import check
from adapt_core.execution.components import make_task

from .chat_models import CHATML, byte_level, llama
from .read_documents import Read


def change(folder: Path, **settings: Any) -> None:
    """Change tokenizer_config.json."""
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **settings}), encoding="utf-8")


def test_another_end_token_ends_the_rows(tmp_path: Path) -> None:
    model = llama(tmp_path / "model", byte_level())
    read = Read(tmp_path, model)
    assert read([{"text": "dog cat"}])[0][0] == "dog cat</s>"
    change(model, eos_token="<|im_end|>")
    assert read([{"text": "dog cat"}])[0][0] == "dog cat<|im_end|>"


def test_another_chat_template_writes_the_rows(tmp_path: Path) -> None:
    model = llama(tmp_path / "model", byte_level(template=CHATML))
    read = Read(tmp_path, model)
    rows: Any = [{"messages": [{"role": "user", "content": "dog"}, {"role": "assistant", "content": "cat"}]}]
    assert read(rows)[0][0].startswith("<|im_start|>user\ndog")
    template = next(path for path in (model / "chat_template.jinja", model / "tokenizer_config.json") if path.exists())
    template.write_text(template.read_text(encoding="utf-8").replace("m['role'] + ", "m['role'] | upper + "))
    assert read(rows)[0][0].startswith("<|im_start|>USER\ndog")


@pytest.mark.parametrize(
    "settings", [{"truncation_side": "left"}, {"model_input_names": ["input_ids"]}], ids=["truncation side", "inputs"]
)
def test_texts_are_cut_as_the_tokenizer_says(tmp_path: Path, settings: dict[str, Any]) -> None:
    model = llama(tmp_path / "model", byte_level())
    data = tmp_path / "train.jsonl"
    rows = [{"text": "the film was good, " + "dog cat " * 8 + "good morning", "label": name} for name in ("a", "b")] * 4
    data.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    keys = {"TASK": "text_classification", "MODEL_PATH": str(model), "CUSTOM_DATASET_PATH": str(data)}

    def row() -> tuple[str, set[str]]:
        task: Any = make_task(check({**keys, "max_seq_length": 8, "DO_EVAL": False, "SAVE_METHOD": "safetensors"}))
        first = task.load_data().train[0]
        return task.tokenizer.decode(first["input_ids"]).strip(), set(first)

    text, names = row()
    assert text.startswith("the film was")
    assert "attention_mask" in names
    change(model, **settings)
    text, names = row()
    cut_left = "truncation_side" in settings
    assert text.endswith("good morning") if cut_left else text.startswith("the film was")
    assert ("attention_mask" in names) is cut_left
