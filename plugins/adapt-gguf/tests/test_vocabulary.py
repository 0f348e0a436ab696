"""Tokenizers as metadata, and tokenizers made of it again."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("gguf")

from adapt_core.errors import InputError

from adapt_gguf.files import open_gguf
from adapt_gguf.models import write_model
from adapt_gguf.vocabulary import puts_space_before, vocabulary_fields

SENTENCES = ["The harbour was quiet.", "it's 2026, isn't it?", "Soil,\n\n  seeds and   water ñ 你好"]


def test_byte_pairs_are_read_again_as_they_were(small: Callable[..., tuple[Any, Any]], tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    model, tokenizer = small("llama")
    write_model(model, tokenizer, tmp_path / "model.gguf")
    again = AutoTokenizer.from_pretrained(tmp_path, gguf_file="model.gguf")
    for sentence in SENTENCES:
        expected = tokenizer(sentence, add_special_tokens=False)["input_ids"]
        assert again(sentence, add_special_tokens=False)["input_ids"] == expected
    assert (again.eos_token_id, again.bos_token_id) == (tokenizer.eos_token_id, tokenizer.bos_token_id)
    assert open_gguf(tmp_path / "model.gguf").get_field("tokenizer.ggml.pre").contents() == "gpt-2"


def test_added_tokens_and_rows_without_one(small: Callable[..., tuple[Any, Any]]) -> None:
    _, tokenizer = small("llama")
    tokenizer.add_tokens(["<user>"])
    tokenizer.add_special_tokens({"additional_special_tokens": ["<tool>"]})
    fields = vocabulary_fields(tokenizer, len(tokenizer) + 2)
    texts, kinds = fields["tokenizer.ggml.tokens"].value, fields["tokenizer.ggml.token_type"].value
    assert texts[-4:] == ["<user>", "<tool>", f"[PAD{len(texts) - 2}]", f"[PAD{len(texts) - 1}]"]
    assert kinds[-4:] == [4, 3, 5, 5]
    assert kinds[0] == 3
    assert kinds[5] == 1


def test_tokens_beyond_the_embeddings_are_refused(small: Callable[..., tuple[Any, Any]]) -> None:
    _, tokenizer = small("llama")
    with pytest.raises(InputError, match="beyond the 10 embeddings"):
        vocabulary_fields(tokenizer, 10)


def test_a_split_that_llama_cpp_is_not_known_to_have_is_refused_until_it_is_named(
    small: Callable[..., tuple[Any, Any]],
) -> None:
    from tokenizers import pre_tokenizers

    _, tokenizer = small("llama")
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    with pytest.raises(InputError, match="set gguf_pre to it"):
        vocabulary_fields(tokenizer, len(tokenizer))
    assert vocabulary_fields(tokenizer, len(tokenizer), "falcon")["tokenizer.ggml.pre"].value == "falcon"


def test_a_space_before_texts_that_readers_leave_out_is_told(
    small: Callable[..., tuple[Any, Any]], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from tokenizers import pre_tokenizers
    from transformers import AutoTokenizer

    model, tokenizer = small("llama")
    assert not puts_space_before(tokenizer)
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    assert puts_space_before(tokenizer)
    with caplog.at_level(logging.WARNING):
        write_model(model, tokenizer, tmp_path / "model.gguf")
    assert "begin prompts with a space" in caplog.text
    again = AutoTokenizer.from_pretrained(tmp_path, gguf_file="model.gguf")
    expected = tokenizer(SENTENCES[0], add_special_tokens=False)["input_ids"]
    assert again(SENTENCES[0], add_special_tokens=False)["input_ids"] != expected
    assert again(f" {SENTENCES[0]}", add_special_tokens=False)["input_ids"] == expected


def test_pieces_with_bytes_for_what_is_unknown_keep_the_order_of_their_pairs() -> None:
    from tokenizers import Tokenizer, decoders, models, normalizers
    from transformers import PreTrainedTokenizerFast

    merges = [("▁", "t"), ("h", "e"), ("▁t", "he")]
    texts = [
        "<unk>",
        "<s>",
        "</s>",
        *(f"<0x{byte:02X}>" for byte in range(256)),
        "▁",
        "t",
        "h",
        "e",
        "▁t",
        "he",
        "▁the",
    ]
    vocabulary = {text: number for number, text in enumerate(texts)}
    backend = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", byte_fallback=True))
    backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    backend.decoder = decoders.ByteFallback()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>", bos_token="<s>", eos_token="</s>")
    fields = vocabulary_fields(tokenizer, len(texts))
    assert fields["tokenizer.ggml.model"].value == "llama"
    assert fields["tokenizer.ggml.add_space_prefix"].value is True
    kinds = dict(zip(texts, fields["tokenizer.ggml.token_type"].value, strict=True))
    assert (kinds["<unk>"], kinds["<s>"], kinds["<0x0A>"], kinds["▁the"]) == (2, 3, 6, 1)
    scores = dict(zip(texts, fields["tokenizer.ggml.scores"].value, strict=True))
    assert scores["▁t"] > scores["he"] > scores["▁the"] > scores["h"]


def test_word_pieces_are_refused(tmp_path: Path) -> None:
    from transformers import BertTokenizerFast

    (tmp_path / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nharbour\n")
    with pytest.raises(InputError, match="of the kind WordPiece cannot be written"):
        vocabulary_fields(BertTokenizerFast(str(tmp_path / "vocab.txt")), 6)
