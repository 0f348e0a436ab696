"""The small models that plugin authors' tests run on: each loads as its kind, and is the same each time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("transformers", reason="needs adapt-core[hf]")

from safetensors.torch import load_file
from transformers import AutoConfig, AutoImageProcessor, AutoModel, AutoTokenizer

from adapt_core.testing import small_models

TEXTS = ["a red house near the river", "two small dogs see a green cat"] * 4
MAKERS: dict[str, Callable[[Path], Path]] = {
    "bert": lambda folder: small_models.bert(folder, TEXTS),
    "llama": lambda folder: small_models.llama(folder, TEXTS),
    "t5": lambda folder: small_models.t5(folder, TEXTS),
    "vit": small_models.vit,
}


@pytest.mark.parametrize("name", MAKERS)
def test_it_loads_as_a_model_of_its_kind_and_is_the_same_each_time(name: str, tmp_path: Path) -> None:
    first, second = (MAKERS[name](tmp_path / folder) for folder in ("first", "second"))
    assert AutoConfig.from_pretrained(first).model_type == name
    assert AutoModel.from_pretrained(first).num_parameters() < 200_000
    once, again = (load_file(folder / "model.safetensors") for folder in (first, second))
    assert all(once[tensor].equal(again[tensor]) for tensor in once)


def test_a_vocabulary_of_many_words_is_the_same_each_time(inbox_texts: list[str]) -> None:
    first, second = (small_models.word_pieces(inbox_texts) for _ in range(2))
    assert first == second
    assert len(set(first)) == len(first) == 2000


@pytest.mark.parametrize("name", ["bert", "llama", "t5"])
def test_its_tokenizer_knows_the_texts(name: str, tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(MAKERS[name](tmp_path / name))
    assert tokenizer.decode(tokenizer(TEXTS[0]).input_ids, skip_special_tokens=True).strip() == TEXTS[0]


def test_its_processor_makes_pictures_of_its_size(tmp_path: Path) -> None:
    assert AutoImageProcessor.from_pretrained(small_models.vit(tmp_path / "vit")).size == {"height": 32, "width": 32}


def test_a_config_s_values_can_be_replaced(tmp_path: Path) -> None:
    assert (
        AutoConfig.from_pretrained(small_models.llama(tmp_path / "llama", TEXTS, num_hidden_layers=1)).num_hidden_layers
        == 1
    )
