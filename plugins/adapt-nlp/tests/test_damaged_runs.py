"""Predicting from a run folder that is damaged, or inputs that are no text: a message, never a defect."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import adapt_core
from adapt_core.errors import InputError
from adapt_core.testing import small_models

ROWS = [{"text": f"{word} number {i}", "label": word} for i in range(8) for word in ("tools", "books")]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one step."""
    folder = tmp_path_factory.mktemp("finished")
    model = small_models.bert(folder / "base", [row["text"] for row in ROWS])
    for split in ("train", "validation"):
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    keys: dict[str, Any] = {"TASK": "text_classification", "MODEL_PATH": str(model), "NUM_WORKERS": 0}
    keys |= {"CUSTOM_DATASET_PATH": str(folder), "OUTPUT_DIR": str(folder / "run"), "MAX_STEPS": 1}
    adapt_core.run({**keys, "SAVE_METHOD": "save_pretrained"})
    return folder / "run"


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", bytes(range(256))])
@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"])
def test_a_damaged_model_folder_is_named(finished: Path, tmp_path: Path, name: str, content: bytes) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    (run / "model" / name).write_bytes(content)
    if (name, content) == ("tokenizer_config.json", b"{}"):
        assert adapt_core.predict(run, ["tools"])  # tokenizer.json holds all that is needed
        return
    with pytest.raises(InputError, match=f"{run}/model cannot be loaded: "):
        adapt_core.predict(run, ["tools"])


def not_text(folder: Path) -> str:
    (folder / "bytes.txt").write_bytes(bytes(range(256)))
    return str(folder / "bytes.txt")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (lambda _: "\ud800 x", "input 1 is not Unicode"),
        (lambda _: " ", "input 1 is empty. Give a text."),
        (not_text, r"bytes\.txt: not UTF-8 text \(byte 128\)\. Save the file as UTF-8"),
    ],
)
def test_an_input_that_is_no_text_is_named(
    finished: Path, tmp_path: Path, given: Callable[[Path], str], told: str
) -> None:
    with pytest.raises(InputError, match=told):
        adapt_core.predict(finished, [given(tmp_path)])
