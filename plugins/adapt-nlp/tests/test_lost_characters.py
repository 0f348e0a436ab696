"""Every language task says before training what the tokenizer loses of the data, and the check does too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import adapt_core
from adapt_core import api
from adapt_core.errors import InputError
from adapt_core.testing.small_models import bert

KNOWN = ["a river runs under the old stone bridge", "who counts five bags of fine flour"] * 4
ODD = "日本 river"

ROWS: dict[str, dict[str, Any]] = {
    "text_classification": {"text": ODD},
    "ner": {"tokens": ODD.split(), "ner_tags": ["B-X", "O"]},
    "question_answering": {
        "question": "who",
        "context": f"{ODD} bridge",
        "answers": {"text": ["bridge"], "answer_start": [9]},
    },
}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return bert(tmp_path / "model", KNOWN)


@pytest.mark.parametrize("task", ROWS)
def test_a_run_and_its_check_tell_what_the_tokenizer_loses(task: str, model: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for split in ("train", "validation"):
        rows = [{**ROWS[task], "label": label} for label in ("a", "b")] * 2
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (tmp_path / "data" / f"{split}.jsonl").write_text(lines, encoding="utf-8")
    keys = {
        **({"TASK": "text_classification", "subtask": "ner"} if task == "ner" else {"TASK": task}),
        "MODEL_PATH": str(model),
        "CUSTOM_DATASET_PATH": str(tmp_path / "data"),
        "OUTPUT_DIR": str(tmp_path / "run"),
        "MAX_STEPS": 1,
        "NUM_WORKERS": 0,
        **({"max_length": 64, "doc_stride": 16} if task == "question_answering" else {}),
    }
    for warnings in (api.estimate(api.check(keys)).warnings, adapt_core.run(keys).warnings):
        [told] = [warning for warning in warnings if "the tokenizer loses" in warning]
        assert "in 4 of 4 rows that were looked at, as in row 1: " in told
        assert "'日', '本'" in told
    assert "the tokenizer loses" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")


def test_a_row_that_is_skipped_is_not_asked_and_numbers_are_those_of_the_file(model: Path, tmp_path: Path) -> None:
    rows = [{"text": text, "label": text[:1]} for text in ("", "the bridge", ODD, "five bags")]
    keys = {"TASK": "text_classification", "MODEL_PATH": str(model), "OUTPUT_DIR": str(tmp_path / "run")}
    keys |= {"MAX_STEPS": 1, "NUM_WORKERS": 0, "SKIP_BAD_ROWS": True}
    result = adapt_core.run(keys, data={"train": rows, "validation": rows[1:2]})
    [told] = [warning for warning in result.warnings if "the tokenizer loses" in warning]
    assert "in 1 of 3 rows that were looked at, as in row 3: " in told


def test_targets_are_asked_too(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    from adapt_core.testing.small_models import t5

    folder = t5(tmp_path / "model", KNOWN)
    pairs = Tokenizer(models.BPE(unk_token="<unk>"))
    pairs.pre_tokenizer = pre_tokenizers.Metaspace()
    special = ["<pad>", "</s>", "<unk>"]
    pairs.train_from_iterator(KNOWN, trainers.BpeTrainer(vocab_size=200, special_tokens=special, show_progress=False))
    PreTrainedTokenizerFast(
        tokenizer_object=pairs, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    ).save_pretrained(folder)
    rows = [{"text": "the old bridge", "summary": "日本 the"}] * 4
    keys = {"TASK": "summarization", "MODEL_PATH": str(folder), "OUTPUT_DIR": str(tmp_path / "run")}
    keys |= {"input_column": "text", "target_column": "summary", "MAX_STEPS": 1, "NUM_WORKERS": 0}
    result = adapt_core.run(keys, data={"train": rows, "validation": rows})
    [told] = [warning for warning in result.warnings if "the tokenizer loses" in warning]
    assert "of the characters of the targets of the train split, in 4 of 4 rows" in told


def test_a_tokenizer_of_special_tokens_alone_is_told_before_anything_is_read(model: Path, tmp_path: Path) -> None:
    from transformers import BertTokenizerFast

    (model / "tokenizer.json").unlink()
    (model / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n", encoding="utf-8")
    BertTokenizerFast(vocab_file=str(model / "vocab.txt")).save_pretrained(model)
    (tmp_path / "train.jsonl").write_text('{"text": "river", "label": "a"}\n' * 2, encoding="utf-8")
    keys = {"TASK": "text_classification", "MODEL_PATH": str(model), "CUSTOM_DATASET_PATH": str(tmp_path)}
    with pytest.raises(InputError, match="special tokens alone"):
        adapt_core.run({**keys, "OUTPUT_DIR": str(tmp_path / "run")})
