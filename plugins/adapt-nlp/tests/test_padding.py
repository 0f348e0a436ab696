"""Families of encoders whose outputs depend on padding are found out, and told at the top of the result."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import adapt_core

SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
FAMILIES: dict[str, dict[str, Any]] = {
    "mobilebert": {**SIZES, "embedding_size": 32, "intra_bottleneck_size": 32, "true_hidden_size": 32},
    "convbert": {**SIZES, "embedding_size": 16, "head_ratio": 2},
    "bert": SIZES,
    "electra": {**SIZES, "embedding_size": 16},
}


@pytest.fixture
def encoder(tiny_encoder: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Makes a small encoder of a family, with weights as large as training leaves them."""
    from transformers import CONFIG_MAPPING, AutoConfig, AutoModel

    def make(family: str) -> Path:
        folder = tmp_path / family
        shutil.copytree(tiny_encoder, folder)
        for file in (*folder.glob("*.safetensors"), folder / "config.json"):
            file.unlink()
        words = AutoConfig.from_pretrained(tiny_encoder).vocab_size
        torch.manual_seed(0)
        model = AutoModel.from_config(CONFIG_MAPPING[family](**FAMILIES[family], vocab_size=words, pad_token_id=0))
        for parameter in model.parameters():
            if parameter.dim() > 1:
                torch.nn.init.normal_(parameter, std=0.2)
        model.save_pretrained(folder)
        return folder

    return make


@pytest.mark.parametrize(
    ("family", "told"), [("mobilebert", True), ("convbert", True), ("bert", False), ("electra", False)]
)
def test_padding_that_changes_outputs_is_told(
    family: str, told: bool, encoder: Callable[[str], Path], run: Callable[..., Any]
) -> None:
    result = run(MODEL_PATH=str(encoder(family)), MAX_STEPS=1)
    warnings = [warning for warning in result.warnings if "padding changes what this model" in warning]
    assert len(warnings) == told
    assert all(family in warning and "EVAL_BATCH_SIZE to 1" in warning for warning in warnings)


def test_as_many_classes_as_padded_tokens_are_no_tokens(encoder: Callable[[str], Path], tmp_path: Path) -> None:
    """Of one text the outputs are one for each class, whatever their number."""
    rows = [{"text": f"a text of the class number {number}", "label": f"class {number}"} for number in range(24)] * 2
    keys = {"TASK": "text_classification", "MODEL_PATH": str(encoder("bert")), "OUTPUT_DIR": str(tmp_path / "run")}
    result = adapt_core.run({**keys, "MAX_STEPS": 1, "NUM_WORKERS": 0}, data={"train": rows, "validation": rows})
    assert not [warning for warning in result.warnings if "padding" in warning]


@pytest.mark.parametrize("task", ["ner", "question_answering"])
def test_tags_and_answers_ask_too(task: str, encoder: Callable[[str], Path], tmp_path: Path) -> None:
    rows = {
        "ner": [{"tokens": ["Ada", "wrote", "it"], "ner_tags": ["B-PER", "O", "O"]}] * 4,
        "question_answering": [
            {"question": "Who wrote it?", "context": "Ada wrote it.", "answers": {"text": ["Ada"], "answer_start": [0]}}
        ]
        * 4,
    }[task]
    keys = {
        "TASK": "text_classification" if task == "ner" else task,
        "MODEL_PATH": str(encoder("mobilebert")),
        "OUTPUT_DIR": str(tmp_path / "run"),
        "MAX_STEPS": 1,
        "NUM_WORKERS": 0,
        "max_length": 64,
        **({"subtask": "ner"} if task == "ner" else {"doc_stride": 16}),
    }
    warnings = adapt_core.run(keys, data={"train": rows, "validation": rows}).warnings
    assert any("padding changes what this model (mobilebert)" in warning for warning in warnings)
