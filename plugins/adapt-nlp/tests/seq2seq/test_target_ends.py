"""Targets of encoder-decoders end once, whatever the tokenizer adds."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from adapt_core.api import check
from adapt_core.testing.small_models import byte_pairs, t5

from ..seq2seq_models import SENTENCES, english, romanian, write


def t5_whose_texts_end(folder: Path, single: str) -> Path:
    """A small T5; `single` says what its tokenizer adds to a text (`$A </s>`)."""
    from transformers import PreTrainedTokenizerFast

    t5(folder, SENTENCES * 3)
    backend = byte_pairs(SENTENCES * 3, ["<pad>", "</s>", "<unk>"], single=single)
    PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=512
    ).save_pretrained(folder)
    return folder


def targets(folder: Path, task: str, texts: list[str], **keys: Any) -> list[str]:
    from adapt_nlp.seq2seq.summarization import Summarization
    from adapt_nlp.seq2seq.translation import Translation

    data = write(
        folder / "data",
        train=[
            {"document": english(number), "summary": text, "translation": {"en": english(number), "ro": text}}
            for number, text in enumerate(texts)
        ],
    )
    plan = check(
        {
            "TASK": task,
            "MODEL_PATH": str(folder / "t5"),
            "CUSTOM_DATASET_PATH": str(data),
            "DO_EVAL": False,
            "SAVE_METHOD": "safetensors",
            **keys,
        }
    )
    of_task = (Summarization if task == "summarization" else Translation)(plan)
    rows = of_task.load_data().train["labels"]
    return [of_task.tokenizer.decode(row).strip() for row in rows]


@pytest.mark.parametrize("task", ["summarization", "translation"])
@pytest.mark.parametrize("single", ["$A", "$A </s>"])
def test_targets_end_exactly_once(tmp_path: Path, caplog: pytest.LogCaptureFixture, task: str, single: str) -> None:
    t5_whose_texts_end(tmp_path / "t5", single)
    texts = [romanian(1), f"{romanian(2)}</s>", romanian(3)]
    with caplog.at_level(logging.WARNING):
        found = targets(tmp_path, task, texts)
    assert found == [f"{text.removesuffix('</s>')}</s>" for text in texts]
    assert ("the tokenizer adds no end to targets: they end with </s>" in caplog.text) == (single == "$A")
    for cut in targets(tmp_path, task, texts, max_target_length=4, generation_max_length=4):
        assert cut.count("</s>") == 1
        assert cut.endswith("</s>")
