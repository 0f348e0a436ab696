#!/usr/bin/env bash
# whole_word_masks_take_whole_rows: whole-word masking of byte-level and Metaspace tokenizers masks a row or nothing
# packages: transformers==5.24.0 tokenizers==0.23.3 torch==2.15.0
# guess: The collator falls back to single tokens where a tokenizer has no "##" pieces, or finds words by word_ids.
# seen: It parts words where offsets leave a gap, and never asks word_ids. Offsets of byte-level BPE and of Metaspace
#   include the space before a word, so nothing is parted: each row is masked from end to end or not at all, but for
#   the first piece. With WordPiece, and with a post-processor that trims offsets, words are masked.
# matters: Continued pretraining of an encoder with such a tokenizer gets rows without any context and rows without
#   any loss. Look at one masked batch before training.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/environment.sh"

python - <<'PY'
from seen import seen
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import DataCollatorForLanguageModeling, PreTrainedTokenizerFast

LINE = "ab cd ef gh ij kl mn op"
LETTERS = [*"abcdefghijklmnop"]
SPECIAL = ["[UNK]", "[MASK]", "[PAD]"]


def numbered(*tokens):
    return {token: number for number, token in enumerate(SPECIAL + list(tokens))}


def byte_level(trim):
    letters = ["Ġ", *LETTERS]
    tokenizer = Tokenizer(models.BPE(numbered(*letters), [], unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    if trim:
        tokenizer.post_processor = processors.ByteLevel(trim_offsets=True)
    return tokenizer


def metaspace():
    pieces = [(token, 0.0) for token in SPECIAL] + [(token, -1.0) for token in ["▁", *LETTERS]]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=0))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    return tokenizer


def word_piece():
    tokens = [*LETTERS, *(f"##{letter}" for letter in LETTERS)]
    tokenizer = Tokenizer(models.WordPiece(numbered(*tokens), unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return tokenizer


def partly_masked(tokenizer):
    """Return how many of 40 rows hold, behind the first piece, a mask and a token that is none."""
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="[UNK]", mask_token="[MASK]", pad_token="[PAD]"
    )
    options = {"mlm_probability": 0.3, "mask_replace_prob": 1.0, "random_replace_prob": 0.0, "seed": 0}
    collate = DataCollatorForLanguageModeling(wrapped, whole_word_mask=True, **options)
    batch = collate([wrapped(LINE, return_offsets_mapping=True) for _ in range(40)])
    masked = batch["input_ids"][:, 1:] == wrapped.mask_token_id
    return int((masked.any(1) & ~masked.all(1)).sum())


seen("WordPiece: rows with masked and plain words", partly_masked(word_piece()) > 30)
seen("byte level with trimmed offsets", partly_masked(byte_level(trim=True)) > 30)
seen("byte level", partly_masked(byte_level(trim=False)), 0)
seen("Metaspace", partly_masked(metaspace()), 0)
PY
