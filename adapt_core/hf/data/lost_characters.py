"""What a tokenizer loses of the texts of a split: characters that become the unknown token, or nothing."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from adapt_core.errors import first_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

ROWS = 200
"""About as many rows are asked, spread over the split."""

CHARACTERS = 2000
"""Characters of each text that are asked."""

LEAST = 0.001
"""The share of lost characters that is told: one in 1,000, so that a stray sign among many texts is not."""

_SPACE = "\u2581"
"""What SentencePiece writes for a space."""

_NAMED = 6
_SHOWN = 40


class Losses:
    """What a tokenizer loses of texts. Spaces and control characters do not count, for its normalization may drop them.

    Args:
        tokenizer: a fast one is asked for the place of each unknown token, any other word by word.
        target: ask as for target texts, for which Marian has another vocabulary.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, *, target: bool = False) -> None:
        self._tokenizer = tokenizer
        self._target = target
        self._dropped: dict[str, bool] = {}

    def count(self, text: str) -> int:
        """Return how many characters of a text become nothing, or a part of an unknown token."""
        unknown = self._unknown(text)
        return sum(place in unknown or self._is_dropped(sign) for place, sign in enumerate(text) if _is_written(sign))

    def is_unknown(self, sign: str) -> bool:
        """Return whether a character alone is lost."""
        return self._is_dropped(sign) or bool(self._unknown(sign))

    def _unknown(self, text: str) -> set[int]:
        """Return the places of the characters of unknown tokens."""
        number, spelled = self._tokenizer.unk_token_id, self._tokenizer.unk_token
        if self._tokenizer.is_fast:
            encoded = self._encoded(text, return_offsets_mapping=True)
            spans = [
                span for id_, span in zip(encoded["input_ids"], encoded["offset_mapping"], strict=True) if id_ == number
            ]
        else:
            found = (match.span() for match in re.finditer(r"\S+", text))
            spans = [(start, end) for start, end in found if number in self._encoded(text[start:end])["input_ids"]]
        named = (span for span in spans if text[slice(*span)].strip() != spelled)
        return {place for start, end in named for place in range(start, end)}

    def _is_dropped(self, sign: str) -> bool:
        if sign not in self._dropped:
            tokens = self._tokenizer.convert_ids_to_tokens(self._encoded(sign)["input_ids"])
            self._dropped[sign] = sign != _SPACE and not "".join(tokens).strip(f"{_SPACE} ")
        return self._dropped[sign]

    def _encoded(self, text: str, **options: Any) -> Any:
        given = {"text_target": text} if self._target else {"text": text}
        return self._tokenizer(**given, add_special_tokens=False, truncation=False, verbose=False, **options)


def lost_findings(losses: Losses, rows: Iterable[tuple[int, Sequence[str]]], what: str) -> list[str]:
    """Return a warning where a tokenizer loses a part of a split's texts, else nothing.

    A BPE without byte fallback drops what it does not know without an unknown token to count
    (findings/llama_tokenizer_drops_unknown_characters.sh).

    Args:
        losses: of the model's tokenizer.
        rows: (number from 0, texts) of a sample of rows.
        what: the split, and what of it.
    """
    written = lost = read = 0
    touched: list[tuple[int, str]] = []
    for number, texts in rows:
        found = [unicodedata.normalize("NFC", text[:CHARACTERS]) for text in texts]
        missing = [(text, losses.count(text)) for text in found]
        read += 1
        written += sum(map(_is_written, "".join(found)))
        lost += sum(count for _, count in missing)
        touched += [(number, text) for text, count in missing if count][:1]
    if not written or lost / written < LEAST:
        return []
    number, text = touched[0]
    signs = sorted({sign for _, text in touched for sign in text if _is_written(sign)})
    names = first_of((repr(sign) for sign in signs if losses.is_unknown(sign)), _NAMED)
    shown = repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")
    return [
        f"MODEL_PATH: the tokenizer loses {lost / written:.2g} of the characters of {what}, in {len(touched)} of "
        f"{read} rows that were looked at, as in row {number + 1}: {shown}."
        f"{f' It does not know {names}.' if names else ''} The model can neither read nor write them: use one whose "
        "tokenizer knows this language or these signs, or replace them in the data"
    ]


def _is_written(sign: str) -> bool:
    return unicodedata.category(sign)[0] not in "ZC" and not sign.isspace()
