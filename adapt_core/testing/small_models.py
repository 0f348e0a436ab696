"""Small real Hugging Face models for tests: two layers, 32 wide, random weights, made in about a second each.

Each function saves a model and its tokenizer or processor in a folder that MODEL_PATH takes. Weights are the same at
every call with the same texts. Keyword arguments go to the model's config and replace the sizes here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


def byte_pairs(texts: Iterable[str], specials: Sequence[str], words: int = 400, **templates: str) -> Any:
    """Return a `tokenizers.Tokenizer`: byte-level pairs, to which no character is unknown.

    Args:
        texts: what it is trained on.
        specials: special tokens, which get the first ids in this order.
        words: size of its vocabulary.
        templates: `single` and `pair`, as `TemplateProcessing` takes them: where special tokens go.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    backend.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=words, special_tokens=list(specials), initial_alphabet=alphabet, show_progress=False
    )
    backend.train_from_iterator(texts, trainer)
    ids = [(token, backend.token_to_id(token)) for token in specials]
    backend.post_processor = processors.TemplateProcessing(**templates, special_tokens=ids)
    return backend


def end_marked_tokenizer(texts: Iterable[str]) -> Any:
    """Return a byte-level tokenizer of 400 words for decoders; `<|end|>` (id 0) begins and ends a text."""
    from tokenizers import ByteLevelBPETokenizer
    from transformers import PreTrainedTokenizerFast

    pairs = ByteLevelBPETokenizer()
    pairs.train_from_iterator(texts, vocab_size=400, special_tokens=["<|end|>"], show_progress=False)
    return PreTrainedTokenizerFast(tokenizer_object=pairs._tokenizer, eos_token="<|end|>", bos_token="<|end|>")


def word_pieces(texts: Iterable[str], words: int = 2000) -> list[str]:
    """Return a WordPiece vocabulary of BERT's special tokens, all characters, and the words that come most often.

    tokenizers' own trainer gives another vocabulary at every call.
    """
    from tokenizers import BertWordPieceTokenizer

    reader = BertWordPieceTokenizer(lowercase=True)
    counts = Counter(
        word
        for text in texts
        for word, _ in reader.pre_tokenizer.pre_tokenize_str(reader.normalizer.normalize_str(text))
    )
    characters = sorted({character for word in counts for character in word})
    often = sorted((word for word in counts if len(word) > 1), key=lambda word: (-counts[word], word))
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    return [*specials, *characters, *(f"##{character}" for character in characters), *often][:words]


def bert(folder: Path, texts: Iterable[str], **config: Any) -> Path:
    """Save a BERT without dropout, 128 positions, with a lower-casing WordPiece tokenizer."""
    from transformers import BertConfig, BertModel, BertTokenizerFast

    vocabulary = word_pieces(texts)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    BertTokenizerFast.from_pretrained(folder, model_max_length=128).save_pretrained(folder)
    sizes = {
        "vocab_size": len(vocabulary),
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "max_position_embeddings": 128,
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
    }
    torch.manual_seed(0)
    BertModel(BertConfig(**{**sizes, **config})).save_pretrained(folder)
    return folder


def llama(folder: Path, texts: Iterable[str], **config: Any) -> Path:
    """Save a Llama with grouped queries and 256 positions, and a tokenizer trained on texts."""
    return llama_for(folder, end_marked_tokenizer(texts), **{"bos_token_id": 0, "eos_token_id": 0, **config})


def llama_for(folder: Path, tokenizer: PreTrainedTokenizerFast, **config: Any) -> Path:
    """Save a tokenizer and a Llama for it, with grouped queries and 256 positions."""
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer.save_pretrained(folder)
    sizes = {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 256,
    }
    torch.manual_seed(0)
    LlamaForCausalLM(LlamaConfig(**{**sizes, **config})).save_pretrained(folder)
    return folder


def t5(folder: Path, texts: Iterable[str], words: int = 400, **config: Any) -> Path:
    """Save a T5 (2 + 2 layers) whose texts end with </s>."""
    from transformers import PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

    backend = byte_pairs(texts, ["<pad>", "</s>", "<unk>"], words, single="$A </s>")
    PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=512
    ).save_pretrained(folder)
    sizes = {
        "vocab_size": backend.get_vocab_size(),
        "d_model": 32,
        "d_kv": 16,
        "d_ff": 64,
        "num_layers": 2,
        "num_heads": 2,
        "pad_token_id": 0,
        "eos_token_id": 1,
    }
    torch.manual_seed(0)
    T5ForConditionalGeneration(T5Config(**{**sizes, **config})).save_pretrained(folder)
    return folder


def vit(folder: Path, **config: Any) -> Path:
    """Save a ViT of 32 pixels without a head, with its image processor."""
    from transformers import ViTConfig, ViTImageProcessor, ViTModel

    sizes = {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "image_size": 32,
        "patch_size": 8,
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
    }
    torch.manual_seed(0)
    ViTModel(ViTConfig(**{**sizes, **config}), add_pooling_layer=False).save_pretrained(folder)
    ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder
