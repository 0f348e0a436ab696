"""Small real encoder-decoders with tokenizers trained on a few sentences, built in about a second each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROUGE = {"rouge1", "rouge2", "rougeL", "rougeLsum"}
"""The metrics of eval_metric: rouge."""


WORDS = ["red", "green", "small", "large", "cat", "dog", "house", "river", "sees", "likes", "finds", "seven"]
TRANSLATED = dict(
    zip(
        WORDS,
        ["roșu", "verde", "mic", "mare", "pisică", "câine", "casă", "râu", "vede", "place", "află", "șapte"],
        strict=True,
    )
)
SENTENCES = [" ".join(WORDS), " ".join(TRANSLATED.values()), "summarize: translate English to Romanian: . , !"]


def english(number: int) -> str:
    """A sentence of four words, another for each number below 20736."""
    count = len(WORDS)
    return " ".join(WORDS[number // count**place % count] for place in range(4))


def romanian(number: int) -> str:
    """Its translation, word by word."""
    return " ".join(TRANSLATED[word] for word in english(number).split())


def write(folder: Path, **splits: list[dict[str, Any]]) -> Path:
    """A data folder with a jsonl file for each split."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in splits.items():
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
    return folder


def translations(count: int, first: int = 0) -> list[dict[str, Any]]:
    """Rows with a column `translation`."""
    return [{"translation": {"en": english(n * 7), "ro": romanian(n * 7)}} for n in range(first, first + count)]


def bart(folder: Path) -> Path:
    """A BART (2 + 2 layers, 32 wide, 128 positions)."""
    import torch
    from transformers import BartConfig, BartForConditionalGeneration, PreTrainedTokenizerFast

    from adapt_core.testing.small_models import byte_pairs

    backend = byte_pairs(SENTENCES * 3, ["<s>", "<pad>", "</s>", "<unk>"], single="<s> $A </s>")
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token="<s>",
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
        model_max_length=128,
    )
    torch.manual_seed(0)
    config = BartConfig(
        vocab_size=backend.get_vocab_size(),
        d_model=32,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
        max_position_embeddings=128,
        dropout=0.0,
        forced_eos_token_id=None,
    )
    return _saved(BartForConditionalGeneration(config), tokenizer, folder)


def bert2bert(folder: Path, encoder: Path) -> Path:
    """An EncoderDecoderModel of two BERTs, as `from_encoder_decoder_pretrained` makes it and nothing more set."""
    import torch
    from transformers import AutoTokenizer, EncoderDecoderModel

    torch.manual_seed(0)
    model = EncoderDecoderModel.from_encoder_decoder_pretrained(str(encoder), str(encoder))
    return _saved(model, AutoTokenizer.from_pretrained(encoder), folder)


def _saved(model: Any, tokenizer: Any, folder: Path) -> Path:
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
