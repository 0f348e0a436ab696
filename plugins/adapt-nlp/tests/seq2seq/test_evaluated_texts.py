"""The texts that an evaluation generates are those of `generate` for each source alone, and METRICS score them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
import torch
from sacrebleu.metrics.chrf import CHRF
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

from ..seq2seq_models import translations

Run = Callable[..., Any]


@pytest.fixture
def generated(translate: Run, tmp_path: Path) -> tuple[Any, Any]:
    """The result of a T5 that has begun to learn, and what it wrote for each validation row."""
    result = translate(
        MAX_STEPS=30,
        METRICS="chrf, exact_match",
        EVAL_BATCH_SIZE=8,
        generation_max_length=16,
        SAVE_METHOD="save_pretrained",
    )
    return result, pyarrow.parquet.read_table(tmp_path / "run" / "predictions.parquet").to_pydict()


def test_a_batch_writes_what_generate_writes_for_each_source(generated: tuple[Any, Any], tmp_path: Path) -> None:
    _, held = generated
    folder = tmp_path / "run" / "model"
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForSeq2SeqLM.from_pretrained(folder).eval()
    written = []
    for row in translations(8, 500):
        ids = tokenizer(row["translation"]["en"], return_tensors="pt")
        with torch.no_grad():
            found = model.generate(**ids, max_length=16, do_sample=False)
        written.append(tokenizer.decode(found[0], skip_special_tokens=True).strip())
    assert held["predicted"] == written
    assert len(set(written)) > 1


def test_metrics_score_these_texts(generated: tuple[Any, Any]) -> None:
    result, held = generated
    after = result.metrics["after"]
    assert after["chrf"] == pytest.approx(CHRF().corpus_score(held["predicted"], [held["expected"]]).score)
    pairs = list(zip(held["predicted"], held["expected"], strict=True))
    assert after["exact_match"] == sum(found == wanted for found, wanted in pairs) / len(pairs)
