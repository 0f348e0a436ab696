"""Words of a command in a shell script."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable

from adapt_core.runtime.plain_text import has_hidden

_AS_IS = re.compile(rb"[A-Za-z0-9_@%+=:,./ -]")


def line(words: Iterable[str]) -> str:
    r"""Return words as a line of bash. What a reader of the file would not see stands as bytes: `$'\xe2\x80\xae'`."""
    return " ".join(_escaped(word) if has_hidden(word) or "\n" in word else shlex.quote(word) for word in words)


def _escaped(word: str) -> str:
    raw = word.encode("utf-8", "surrogateescape")
    shown = (byte.decode() if _AS_IS.match(byte) else f"\\x{byte[0]:02x}" for byte in _bytes(raw))
    return f"$'{''.join(shown)}'"


def _bytes(raw: bytes) -> Iterable[bytes]:
    return (raw[at : at + 1] for at in range(len(raw)))
