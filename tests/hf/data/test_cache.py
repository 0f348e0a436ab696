"""The key of tokenized rows covers whatever shapes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from adapt_core.hf.data import cache

transformers = pytest.importorskip("transformers")
tokenizers = pytest.importorskip("tokenizers")


def tokenizer(**settings: Any) -> Any:
    """Return a new tokenizer of three words."""
    words = tokenizers.models.WordLevel({"a": 0, "<end>": 1, "<stop>": 2}, unk_token="a")
    given = {"eos_token": "<end>", **settings}
    return transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizers.Tokenizer(words), **given)


def test_an_equal_tokenizer_has_the_same_key() -> None:
    assert cache.tokenizer_key(tokenizer()) == cache.tokenizer_key(tokenizer())


@pytest.mark.parametrize(
    "settings",
    [
        {"eos_token": "<stop>"},
        {"bos_token": "<stop>"},
        {"chat_template": "{{ messages }}"},
        {"model_input_names": ["input_ids"]},
        {"extra_special_tokens": {"image_token": "<stop>"}},
        {"truncation_side": "left"},
        {"split_special_tokens": True},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_each_setting_that_shapes_a_row_changes_the_key(settings: dict[str, Any]) -> None:
    assert cache.tokenizer_key(tokenizer(**settings)) != cache.tokenizer_key(tokenizer())


def test_a_role_that_changes_its_token_changes_the_key() -> None:
    """Both tokens are special in both tokenizers, so the tokens themselves are equal."""
    first = tokenizer(eos_token="<end>", pad_token="<stop>")
    assert cache.tokenizer_key(first) != cache.tokenizer_key(tokenizer(eos_token="<stop>", pad_token="<end>"))


def test_another_version_of_a_library_changes_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    before = cache.tokenizer_key(tokenizer())
    real: Callable[[str], str] = cache.version
    monkeypatch.setattr(cache, "version", lambda name: "0" if name == "tokenizers" else real(name))
    assert cache.tokenizer_key(tokenizer()) != before
