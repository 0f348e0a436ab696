"""Small real encoder-decoders with tokenizers trained on a few sentences, built in about a second each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

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


def _subwords(template: str, specials: list[str]) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    backend.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=specials, initial_alphabet=alphabet, show_progress=False
    )
    backend.train_from_iterator(SENTENCES * 3, trainer)
    ids = [(token, backend.token_to_id(token)) for token in specials]
    backend.post_processor = processors.TemplateProcessing(single=template, special_tokens=ids)
    return backend


def t5(folder: Path) -> Path:
    """A T5 (2 + 2 layers, 32 wide) whose texts end with </s>, without a decoder_start_token_id."""
    import torch
    from transformers import PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

    backend = _subwords("$A </s>", ["<pad>", "</s>", "<unk>"])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=512
    )
    torch.manual_seed(0)
    config = T5Config(
        vocab_size=backend.get_vocab_size(),
        d_model=32,
        d_kv=16,
        d_ff=64,
        num_layers=2,
        num_heads=2,
        dropout_rate=0.0,
        pad_token_id=0,
        eos_token_id=1,
    )
    return _saved(T5ForConditionalGeneration(config), tokenizer, folder)


def bart(folder: Path) -> Path:
    """A BART (2 + 2 layers, 32 wide, 128 positions)."""
    import torch
    from transformers import BartConfig, BartForConditionalGeneration, PreTrainedTokenizerFast

    backend = _subwords("<s> $A </s>", ["<s>", "<pad>", "</s>", "<unk>"])
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
