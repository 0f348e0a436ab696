"""Encoder-decoders for the results, built here because no Python package ships a pretrained one."""

from __future__ import annotations

from pathlib import Path

from adapt_core.testing.small_models import byte_pairs
from benchmarks.packaged_models import minilm
from benchmarks.results.baselines import rows


def two_minilms(folder: Path, data: Path) -> None:
    """Return an EncoderDecoderModel of two pretrained MiniLMs, the second as decoder; its cross-attention is new.

    Args:
        folder: where it is saved, with MiniLM's tokenizer.
        data: not needed.
    """
    from transformers import AutoTokenizer, EncoderDecoderModel, set_seed

    set_seed(42)
    EncoderDecoderModel.from_encoder_decoder_pretrained(minilm(), minilm()).save_pretrained(folder)
    AutoTokenizer.from_pretrained(minilm()).save_pretrained(folder)


def small_transformer(folder: Path, data: Path) -> None:
    """Return a small pre-norm transformer (M2M100's architecture, 5 M parameters) with random weights.

    Args:
        folder: where it is saved, with a byte-level BPE that was trained on the training rows.
        data: folder of a translation set.
    """
    from transformers import M2M100Config, M2M100ForConditionalGeneration, PreTrainedTokenizerFast, set_seed

    pairs = [row["translation"] for row in rows(data, "train")]
    texts = [text for pair in pairs for text in pair.values()]
    backend = byte_pairs(texts, ["<s>", "<pad>", "</s>", "<unk>"], words=4000, single="$A </s>")
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<s>", pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    )
    tokenizer.save_pretrained(folder)
    set_seed(42)
    config = M2M100Config(
        vocab_size=backend.get_vocab_size(),
        d_model=256,
        encoder_layers=3,
        decoder_layers=2,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=512,
        decoder_ffn_dim=512,
        encoder_layerdrop=0.0,
        decoder_layerdrop=0.0,
        attention_dropout=0.0,
    )
    M2M100ForConditionalGeneration(config).save_pretrained(folder)
