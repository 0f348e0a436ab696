"""The encoding of a table of text: UTF-8, UTF-16 or UTF-32, or Windows' for Western European languages (cp1252)."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from adapt_core.errors import DataError
from adapt_core.hf.data.tables.western_letters import CENTRAL, WESTERN, is_western

UTF8 = "utf-8-sig"
SPOKEN = {"utf-16": "UTF-16", "utf-16-le": "UTF-16", "utf-16-be": "UTF-16", "utf-32": "UTF-32", WESTERN: "Windows-1252"}
"""Encodings other than UTF-8 -> what messages call them."""

HEAD = 1_000_000
_CHUNK = 1_000_000
_SAMPLE = 100_000
_OTHERS = ["cp1250", "cp1251", WESTERN, "cp1253", "cp1254", "cp932", "cp949", "gb18030", "big5", "koi8_r"]
"""What the files of systems without Unicode are in; those of DOS, Macs and mainframes only lead astray."""


def encoding_of(path: Path, most: int | None = None) -> str:
    """Return the name of Python's codec for a file.

    Without a byte order mark it is UTF-8 where the file decodes so. A file without any character of UTF-8 beyond ASCII
    is cp1252 where charset-normalizer finds nothing likelier, or cp1250, and `is_western` says so.

    Args:
        path: the file.
        most: bytes to read at most; all where it is None.

    Raises:
        DataError: it is none of them; the message has the first line that is not UTF-8, and a guess.
    """
    with path.open("rb") as file:
        head = file.read(_CHUNK if most is None else most)
        if (marked := _marked(head)) is not None:
            return marked
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            decoder.decode(head)
            if most is None:
                while chunk := file.read(_CHUNK):
                    decoder.decode(chunk)
                decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return _without_unicode(path)
    return UTF8


def _marked(head: bytes) -> str | None:
    """Return the encoding that a byte order mark, or the zeros of UTF-16, show."""
    for mark, name in ((codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"), (codecs.BOM_UTF8, UTF8)):
        if head.startswith(mark):
            return name
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    # The header and the separators are ASCII, of which each other byte is 0.
    first = head[:_SAMPLE].split(b"\n")[0]
    zeros = [first[start::2].count(0) for start in (0, 1)]
    for rare, frequent, name in ((0, 1, "utf-16-le"), (1, 0, "utf-16-be")):
        if zeros[frequent] > max(1, len(first) // 4) and not zeros[rare]:
            return name
    return None


def _without_unicode(path: Path) -> str:
    import charset_normalizer

    sample, size = [], 0
    with path.open("rb") as file:
        for line in file:
            if line.isascii():
                continue
            decoded = line.decode("utf-8", errors="surrogateescape")
            if any(ord(letter) > 127 and not 0xDC80 <= ord(letter) <= 0xDCFF for letter in decoded):
                raise _not_utf8(path)  # UTF-8 with a damaged character
            sample.append(line)
            size += len(line)
            if size > _SAMPLE:
                break
    content = b"".join(sample)
    best = charset_normalizer.from_bytes(content, cp_isolation=_OTHERS).best()
    if best is not None:
        try:
            if str(best) == content.decode(WESTERN):
                return WESTERN
        except UnicodeDecodeError:
            pass  # bytes that cp1252 leaves free
        if best.encoding == CENTRAL and is_western(content):
            return WESTERN
        raise _not_utf8(path, f" It seems to be {best.encoding}.")
    raise _not_utf8(path)


@contextmanager
def decoded(path: Path, encoding: str = UTF8) -> Iterator[None]:
    """Turn the failure to decode a file into an error that names the line.

    Raises:
        DataError: the block met bytes that are not in the encoding.
    """
    try:
        yield
    except UnicodeError as error:
        if encoding != UTF8:
            raise DataError(
                f"{path}: not {SPOKEN[encoding]}, as its beginning is: {error}. Save the file as UTF-8."
            ) from None
        raise _not_utf8(path) from None


def _not_utf8(path: Path, guess: str = "") -> DataError:
    """Return the error that names the first line that is not UTF-8."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                return DataError(
                    f"{path}:{number}: not UTF-8 text (byte {error.start} of the line).{guess} Save the file as UTF-8."
                )
    return DataError(f"{path}: not UTF-8 text.{guess} Save the file as UTF-8.")
