"""Text of others (data, folders, labels, models) for places that people read, without characters that act or hide.

A terminal obeys control characters, and bidirectional overrides show text in another order than it has ("Trojan
Source", CVE-2021-42574). Each is written as its JSON escape, so that JSON stays what it was.
"""

from __future__ import annotations

import codecs
import re

ESCAPED = "adapt.escaped"
"""The error handler of an encoding that writes what it lacks as JSON escapes, as `visible` does."""

_CONTROLS = (*range(0x00, 0x20), *range(0x7F, 0xA0))
_SEPARATORS = (0x2028, 0x2029)
_DIRECTIONS = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
"""Embeddings, overrides and isolates. The marks of Arabic and Hebrew text (U+200E, U+200F) reorder no other text."""

_SURROGATE = re.compile("[\ud800-\udfff]")

_ESCAPES = {code: f"\\u{code:04x}" for code in (*_CONTROLS, *_SEPARATORS, *_DIRECTIONS)}
_ESCAPES |= {ord(char): escape for char, escape in (("\n", "\\n"), ("\t", "\\t"), ("\r", "\\r"))}
_IN_LINES = {code: escape for code, escape in _ESCAPES.items() if chr(code) not in "\t\n"}


def visible(text: str) -> str:
    r"""Return text with its control characters and overrides of direction as escapes: `\u001b[31m`.

    Line breaks and tabs stay. What is no character (half of a surrogate pair, which a file's name can hold) becomes an
    escape too.
    """
    return _encodable(text.translate(_IN_LINES))


def in_one_line(text: str) -> str:
    r"""Return text as `visible` does, with line breaks and tabs as `\n` and `\t`: for a cell of a table."""
    return _encodable(text.translate(_ESCAPES))


def has_hidden(text: str) -> bool:
    """Return whether `visible` would change a text."""
    return visible(text) != text


def has_surrogates(text: str) -> bool:
    """Return whether a text holds half of a surrogate pair, as Python's name of a file does whose name is not UTF-8."""
    return not text.isascii() and _SURROGATE.search(text) is not None


def _encodable(text: str) -> str:
    return text.encode("utf-8", ESCAPED).decode("utf-8")


def _escaped(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2)), error.end


codecs.register_error(ESCAPED, _escaped)
