"""Encoder-decoders classify a text at its end token: it stands there once, in data and in `adapt predict`."""

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

Run = Callable[..., Any]
TEXTS = ["the red dog sees a cat", "a green cat sleeps now"] * 8


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A small T5 whose config names no start token of the decoder."""
    folder = small_models.t5(tmp_path / "t5", TEXTS)
    config = json.loads((folder / "config.json").read_text())
    config.pop("decoder_start_token_id", None)
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def write(folder: Path, texts: list[str]) -> Path:
    folder.mkdir(exist_ok=True)
    rows = [{"text": text, "label": ("dog", "cat")[number % 2]} for number, text in enumerate(texts)]
    for split in ("train", "validation"):
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_a_missing_start_token_is_filled_in_and_saved(run: Run, base: Path, tmp_path: Path) -> None:
    result = run(MODEL_PATH=str(base), CUSTOM_DATASET_PATH=str(write(tmp_path / "data", TEXTS)), MAX_STEPS=1)
    assert json.loads((tmp_path / "run" / "model" / "config.json").read_text())["decoder_start_token_id"] == 0
    assert adapt_core.predict(result.output_dir, ["a cat"])[0]["label"] in ("dog", "cat")
    with pytest.raises(InputError, match="input 2 contains '</s>'"):
        adapt_core.predict(result.output_dir, ["a cat", "a </s> cat"])


def test_a_text_with_the_end_token_is_named_or_dropped(run: Run, base: Path, tmp_path: Path) -> None:
    data = write(tmp_path / "data", [*TEXTS, "an end</s> in between", "all is well"])
    with pytest.raises(InputError, match="train row 17: column 'text' contains '</s>', the end token"):
        run(MODEL_PATH=str(base), CUSTOM_DATASET_PATH=str(data), MAX_STEPS=1)
    result = run(MODEL_PATH=str(base), CUSTOM_DATASET_PATH=str(data), MAX_STEPS=1, SKIP_BAD_ROWS=True)
    assert result.data["train_dropped"] == 1


def test_models_that_read_elsewhere_take_any_text(run: Run, tiny_encoder: Path, tmp_path: Path) -> None:
    data = write(tmp_path / "data", [*TEXTS, "an end [SEP] in between", "all is well"])
    result = run(MODEL_PATH=str(tiny_encoder), CUSTOM_DATASET_PATH=str(data), MAX_STEPS=1)
    assert result.data["train_dropped"] == 0


def test_a_tokenizer_without_an_end_is_refused(run: Run, base: Path, tmp_path: Path) -> None:
    bare = Path(shutil.copytree(base, tmp_path / "bare"))
    tokenizer = json.loads((bare / "tokenizer.json").read_text())
    (bare / "tokenizer.json").write_text(json.dumps({**tokenizer, "post_processor": None}))
    with pytest.raises(InputError, match=r"reads a text at its end token '</s>' .* 0 times instead of once"):
        run(MODEL_PATH=str(bare), CUSTOM_DATASET_PATH=str(write(tmp_path / "data", TEXTS)), MAX_STEPS=1)
