"""Whether a text is in cp1252 and not in cp1250, by the letters of languages.

Both decode nearly all bytes, and charset-normalizer finds most texts as likely in the one as in the other. The letters
beyond ASCII are those of each language's alphabet, without loanwords, as the exemplar characters of the Unicode CLDR.
"""

from __future__ import annotations

import re

WESTERN, CENTRAL = "cp1252", "cp1250"

_OF_WESTERN = (
    "àâæçéèêëîïôœùûüÿ",  # French
    "áéíñóúüªº",  # Spanish
    "áâãàçéêíòóôõúüªº",  # Portuguese
    "àéèìíîóòùúªº",  # Italian
    "àçéèíïóòúüñ",  # Catalan
    "äöüßé",  # German
    "áäéèëêíïóöúü",  # Dutch
    "åæøéèêóòôäöü",  # Danish, Norwegian
    "åäöéàüæø",  # Swedish, Finnish
    "áéíóúýþæöð",  # Icelandic
)
_SIGN_IN_A_WORD = re.compile(r"[^\W\d_][¿¡¹³£¥¼¾¯][^\W\d_]?|[¹³£¥¼¾¯][^\W\d_]")
"""What letters of cp1250 are in cp1252: ż ł ą Ł Ą Ľ ľ Ż."""

_NEVER = re.compile(r"õ(?!e)|ã(?![oesi]|\b)|[ìù](?=[^\W\d_])|ñ(?![aeiouáéíóúü])|è(?=[aeiouyáéíý])")
"""Where a language of cp1252 has no such letter, and one of cp1250 has its own: minõség (ő), fãrã (ă), dìkuji (ě)."""


def is_western(content: bytes) -> bool:
    """Return whether a text reads better in cp1252 than in cp1250.

    Its letters must be those of one language of cp1252, in places where they occur. A few words may be in both, such as
    those with é and è (č) alone: they are taken for cp1252, for a longer text has other letters of its language.
    """
    try:
        text = content.decode(WESTERN)
    except UnicodeDecodeError:
        return False
    letters = {letter for letter in text.lower() if not letter.isascii() and letter.isalpha()}
    known = any(letters <= set(alphabet) for alphabet in _OF_WESTERN)
    return known and not _SIGN_IN_A_WORD.search(text) and not _NEVER.search(text.lower())
