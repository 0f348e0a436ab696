"""The source and target language of multilingual tokenizers (mBART, mBART-50, NLLB, M2M100, ...)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import attrs

from adapt_core.errors import InputError

from adapt_nlp.seq2seq import languages

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@attrs.frozen
class Direction:
    """A translation direction in a tokenizer's own codes.

    Attributes:
        source, target: codes ("en_XX", "ro_RO").
        target_id: the token of the target language.
        begins: whether targets, and so generated texts, begin with that token (mBART-50, NLLB, M2M100). Otherwise they
            end with it, and the decoder starts from it (mBART).
    """

    source: str
    target: str
    target_id: int
    begins: bool


def language_codes(tokenizer: PreTrainedTokenizerBase) -> dict[str, int]:
    """Return the languages of a tokenizer, code -> token id; empty for a tokenizer without languages."""
    if not hasattr(tokenizer, "src_lang") or not hasattr(tokenizer, "tgt_lang"):
        return {}
    table = getattr(tokenizer, "lang_code_to_id", None)
    if isinstance(table, Mapping):
        return {str(code): int(token) for code, token in table.items()}
    specials = [str(token) for token in tokenizer.all_special_tokens]
    codes = [token for token in specials if "_" in token and token[:2].isalpha()]
    return {code: int(tokenizer.convert_tokens_to_ids(code)) for code in codes}


def set_direction(tokenizer: PreTrainedTokenizerBase, source_lang: str, target_lang: str) -> Direction | None:
    """Set the source and target language of a tokenizer. Return None for one without languages (T5, Marian).

    Raises:
        InputError: it lacks one of the languages.
    """
    codes = language_codes(tokenizer)
    if not codes:
        return None
    source = _code("source_lang", source_lang, codes, tokenizer)
    target = _code("target_lang", target_lang, codes, tokenizer)
    tokenizer.src_lang, tokenizer.tgt_lang = source, target
    example = tokenizer(text_target="a")["input_ids"]
    return Direction(source, target, codes[target], begins=example[0] == codes[target])


def _code(key: str, wanted: str, codes: Mapping[str, int], tokenizer: PreTrainedTokenizerBase) -> str:
    found = languages.match(wanted, codes)
    if found is None:
        near = ", ".join(languages.nearest(wanted, codes))
        raise InputError(
            f"{key}: {type(tokenizer).__name__} of this model has no language {wanted!r}. "
            f"Nearest of its {len(codes)}: {near}."
            " Choose one it has."
        )
    return found
