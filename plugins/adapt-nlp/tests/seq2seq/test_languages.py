"""source_lang and target_lang in the codes of real multilingual tokenizers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapt_core.errors import InputError

from ..multilingual_tokenizers import m2m100, mbart, mbart50, nllb
from adapt_nlp.seq2seq.languages import match
from adapt_nlp.seq2seq.multilingual import language_codes, set_direction


@pytest.mark.parametrize(
    ("make", "source", "target", "begins"),
    [(mbart, "en_XX", "ro_RO", False), (mbart50, "en_XX", "ro_RO", True), (nllb, "eng_Latn", "ron_Latn", True)],
    ids=["mbart", "mbart50", "nllb"],
)
def test_short_codes_become_the_tokenizer_s_own(
    make: Callable[[], Any], source: str, target: str, begins: bool
) -> None:
    tokenizer = make()
    found = set_direction(tokenizer, "en", "ro")
    assert found is not None
    assert (found.source, found.target, found.begins) == (source, target, begins)
    assert found.target_id == tokenizer.convert_tokens_to_ids(target)
    assert tokenizer.convert_tokens_to_ids(source) in tokenizer("cat")["input_ids"]
    assert found.target_id in tokenizer(text_target="cat")["input_ids"]
    assert found.target_id not in tokenizer("cat")["input_ids"]
    same = set_direction(make(), source, target)
    assert same == found


def test_the_codes_of_m2m100_are_short_already(tmp_path: Path) -> None:
    tokenizer = m2m100(tmp_path)
    found = set_direction(tokenizer, "en", "ro")
    assert found is not None
    assert (found.source, found.target, found.begins) == ("en", "ro", True)
    assert tokenizer(text_target="cat")["input_ids"][0] == tokenizer.get_lang_id("ro")


def test_a_language_that_the_tokenizer_does_not_know_is_named_with_the_nearest() -> None:
    with pytest.raises(
        InputError, match=r"target_lang: MBartTokenizer .* no language 'rm'. Nearest of its 25: .*ro_RO"
    ):
        set_direction(mbart(), "en", "rm")
    with pytest.raises(InputError, match=r"source_lang: NllbTokenizer .* no language 'english'.*eng_Latn"):
        set_direction(nllb(), "english", "ro")


def test_a_tokenizer_without_languages_is_left_alone(tiny_encoder: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_encoder)
    assert language_codes(tokenizer) == {}
    assert set_direction(tokenizer, "en", "ro") is None


@pytest.mark.parametrize(
    ("wanted", "codes", "found"),
    [
        ("en_XX", ["en", "ro"], "en"),
        ("eng_Latn", ["en", "ro"], "en"),
        ("de", ["de_DE", "en_XX"], "de_DE"),
        ("zh-TW", ["zho_Hans", "zho_Hant"], "zho_Hant"),
        ("ar", ["arb_Arab", "arz_Arab"], "arb_Arab"),
        ("no", ["nno_Latn", "nob_Latn"], "nob_Latn"),
        ("EN", ["en"], "en"),
        ("fr", ["en", "ro"], None),
        ("gd", ["en_XX"], None),
        ("english", ["en"], None),
    ],
)
def test_codes_of_one_language_match(wanted: str, codes: list[str], found: str | None) -> None:
    assert match(wanted, codes) == found
