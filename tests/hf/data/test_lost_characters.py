"""Characters that a tokenizer loses are counted, whatever it makes of them, and told with a row that has them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers", reason="needs the extra adapt-core[hf]")

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import ByT5Tokenizer, PreTrainedTokenizerFast

from adapt_core.hf.data.lost_characters import Losses, lost_findings
from adapt_core.testing.small_models import end_marked_tokenizer

LINES = ["a river runs under the old stone bridge", "the miller counts five bags of fine flour, bruno"] * 20


def _trained(model: Any, trainer: Any, cut: Any, **parts: Any) -> PreTrainedTokenizerFast:
    made = Tokenizer(model)
    made.pre_tokenizer = cut
    for name, part in parts.items():
        setattr(made, name, part)
    made.train_from_iterator(LINES, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=made, unk_token="[UNK]" if model.unk_token else None)


def pairs_without_bytes() -> PreTrainedTokenizerFast:
    trainer = trainers.BpeTrainer(vocab_size=80, show_progress=False)
    return _trained(models.BPE(), trainer, pre_tokenizers.Metaspace())


def pieces() -> PreTrainedTokenizerFast:
    trainer = trainers.WordPieceTrainer(vocab_size=80, special_tokens=["[UNK]"], show_progress=False)
    cut, lower = pre_tokenizers.BertPreTokenizer(), normalizers.BertNormalizer()
    return _trained(models.WordPiece(unk_token="[UNK]"), trainer, cut, normalizer=lower)


TOKENIZERS: dict[str, tuple[Callable[[], Any], dict[str, int]]] = {
    "BPE without byte fallback": (
        pairs_without_bytes,
        {"the river": 0, "bÜrn": 1, "日本 the bridge": 2, "a\u200b\triver": 0},
    ),
    "WordPiece": (pieces, {"the River": 0, "bruné": 0, "bñrn 日": 1, "a 😀": 1, "[UNK] a": 0}),
    "bytes": (lambda: end_marked_tokenizer(LINES), {"bÜrn 日本 😀": 0, "<|end|> a": 0}),
    "not a fast one": (ByT5Tokenizer, {"bÜrn 日本 😀": 0}),
}
"""Name -> a tokenizer, and what it loses of texts."""


@pytest.mark.parametrize("name", TOKENIZERS)
def test_what_is_unknown_or_dropped_counts_and_what_is_normalized_does_not(name: str) -> None:
    made, texts = TOKENIZERS[name]
    losses = Losses(made())
    assert {text: losses.count(text) for text in texts} == texts


def test_a_tokenizer_that_gives_no_places_is_asked_word_by_word(tmp_path: Path) -> None:
    from transformers import BertJapaneseTokenizer

    (tmp_path / "vocab.txt").write_text("[UNK]\n[CLS]\n[SEP]\n[PAD]\n[MASK]\nr\ni\nv\ne\n", encoding="utf-8")
    tokenizer = BertJapaneseTokenizer(
        str(tmp_path / "vocab.txt"), word_tokenizer_type="basic", subword_tokenizer_type="character"
    )
    assert not tokenizer.is_fast
    assert [Losses(tokenizer).count(text) for text in ("river", "river 日本", "日 日")] == [0, 2, 2]


def test_it_is_told_with_share_row_and_signs_where_it_is_more_than_a_stray_sign() -> None:
    losses = Losses(pairs_without_bytes())
    rows = [(number, ["the old bridge", "a river"]) for number in range(100)]
    assert lost_findings(losses, rows, "the train split") == []
    assert lost_findings(losses, [*rows, (100, ["Ü"])], "the train split") == []
    [told] = lost_findings(losses, [(3, ["the bÜrn"]), (7, ["日本"]), (9, ["a river"])], "the train split")
    assert told.startswith("MODEL_PATH: the tokenizer loses 0.2 of the characters of the train split, in 2 of 3 rows")
    assert "as in row 4: 'the bÜrn'. It does not know 'Ü', '日', '本'." in told
    assert lost_findings(losses, [], "the train split") == []
