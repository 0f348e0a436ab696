"""text_regression passes the contracts of adapt, and tells good words from bad."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

import adapt_core
from adapt_core.plugin import DataError
from adapt_core.testing import PluginContract, TaskContract

WORDS = {"awful": -2.0, "poor": -1.0, "fair": 0.0, "good": 1.0, "great": 2.0}
Config = Mapping[str, Any]


@pytest.fixture(scope="module")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small real BERT with random weights, whose vocabulary is the words of these tests."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder = tmp_path_factory.mktemp("model")
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "it", "was", *WORDS]
    (folder / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    BertTokenizerFast.from_pretrained(folder, model_max_length=32).save_pretrained(folder)
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    still = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    BertModel(BertConfig(vocab_size=len(vocabulary), max_position_embeddings=32, **sizes, **still)).save_pretrained(
        folder
    )
    return folder


@pytest.fixture(scope="module")
def config(small_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Config:
    folder = tmp_path_factory.mktemp("reviews")
    lines = "".join(json.dumps({"text": f"it was {word}", "score": WORDS[word]}) + "\n" for word in WORDS)
    for split in ("train", "validation"):
        (folder / f"{split}.jsonl").write_text(lines * 8, encoding="utf-8")
    where = {"MODEL_PATH": str(small_model), "CUSTOM_DATASET_PATH": str(folder)}
    return {"TASK": "text_regression", **where, "EPOCHS": 16, "BATCH_SIZE": 8, "LR": 0.01, "NUM_WORKERS": 0}


class TestDistribution(PluginContract):
    distribution = "adapt-text-regression"


class TestTextRegression(TaskContract):
    @pytest.fixture(scope="class")
    @classmethod
    def config(cls, config: Config) -> Config:
        return config

    @pytest.fixture(scope="class")
    @classmethod
    def inputs(cls) -> Sequence[str]:
        return ["it was good", "it was awful"]


def test_it_learns_and_says_by_how_much_it_is_off(config: Config, tmp_path: Path) -> None:
    result = adapt_core.run({**config, "OUTPUT_DIR": str(tmp_path / "run")})
    assert result.metrics["before"]["rmse"] > 1
    assert result.metrics["after"]["rmse"] < 0.7
    bad, good = adapt_core.predict(tmp_path / "run", ["it was awful", "it was great"])
    assert bad["score"] < -1 < 1 < good["score"]


def test_a_row_without_a_number_is_named(config: Config, tmp_path: Path) -> None:
    rows = [{"text": "it was good", "score": 1.0}, {"text": "it was poor", "score": None}]
    for split in ("train", "validation"):
        (tmp_path / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    with pytest.raises(DataError, match=r"train row 2: column 'score' is None, not a number"):
        adapt_core.run({**config, "CUSTOM_DATASET_PATH": str(tmp_path), "OUTPUT_DIR": str(tmp_path / "run")})
