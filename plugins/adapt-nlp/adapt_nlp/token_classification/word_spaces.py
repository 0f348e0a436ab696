"""Words in a list read as in running text: byte-level and SentencePiece tokenizers take each with its space."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

log = logging.getLogger(__name__)


def put_space_before_words(tokenizer: PreTrainedTokenizerBase) -> None:
    """Make a fast tokenizer read a list of words as it reads their text; `save_pretrained` keeps it.

    Without it, RoBERTa's tokenizer refuses lists, and a generic one (ModernBERT's) reads `film` inside a text as
    ` film` but in a list as `fi lm`. A warning says where the two still differ.
    """
    if not _reads_lists_as_text(tokenizer):
        _change(tokenizer)
    if not _reads_lists_as_text(tokenizer):
        log.warning("the tokenizer reads the words of a list in other tokens than those of a text.")


def _reads_lists_as_text(tokenizer: PreTrainedTokenizerBase) -> bool:
    if getattr(tokenizer, "add_prefix_space", True) is False:  # RoBERTa's and GPT-2's, which refuse lists then
        return False
    words = tokenizer(["a", "a"], is_split_into_words=True, add_special_tokens=False)["input_ids"]
    text = tokenizer("a a", add_special_tokens=False)["input_ids"]
    # At the beginning of a text some tokenizers read a word without its space.
    return bool(words == text or words == [text[-1]] * len(words))


def _change(tokenizer: PreTrainedTokenizerBase) -> None:
    from tokenizers import normalizers, pre_tokenizers

    fast: Any = tokenizer
    backend = fast.backend_tokenizer
    if getattr(fast, "add_prefix_space", None) is False:
        fast.add_prefix_space = True
        fast.init_kwargs["add_prefix_space"] = True
    split = backend.pre_tokenizer
    if isinstance(split, pre_tokenizers.ByteLevel):
        split.add_prefix_space = True
    elif isinstance(split, pre_tokenizers.Metaspace):
        split.prepend_scheme = "always"
    elif isinstance(split, pre_tokenizers.Sequence):
        # Behind a split by pattern, byte-level pieces inside a word would get a space too.
        steps = [backend.normalizer] if backend.normalizer is not None else []
        backend.normalizer = normalizers.Sequence([*steps, normalizers.Prepend(" ")])
