"""Corruptions of image files, one image of a folder at a time."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any


def _saved(image: Any, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def _opened(data: bytes) -> Any:
    from PIL import Image

    return Image.open(io.BytesIO(data)).convert("RGB")


def _rotated(data: bytes, dice: Random) -> bytes:
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = dice.choice([3, 6, 8])
    return _saved(_opened(data), "JPEG", exif=exif)


def _sixteen_bit(data: bytes, dice: Random) -> bytes:
    import numpy
    from PIL import Image

    grey = numpy.asarray(_opened(data).convert("L")).astype("uint16") * 257
    return _saved(Image.fromarray(grey), "PNG")


def _animated(data: bytes, dice: Random) -> bytes:
    first = _opened(data)
    return _saved(first, "GIF", save_all=True, append_images=[first.rotate(90)])


def _bomb(data: bytes, dice: Random) -> bytes:
    """Return a PNG header that claims 60000 x 60000 pixels."""
    import struct
    import zlib

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))


IMAGES: list[tuple[str, Callable[[bytes, Random], bytes], bool | None]] = [
    ("an empty file", lambda data, dice: b"", False),
    ("cut in half", lambda data, dice: data[: len(data) // 2], None),
    ("cut at the end", lambda data, dice: data[:-20], None),
    ("cut in its header", lambda data, dice: data[:30], False),
    ("random bytes", lambda data, dice: dice.randbytes(400), False),
    ("text", lambda data, dice: b"<html>404 not found</html>", False),
    ("one pixel", lambda data, dice: _saved(_opened(data).resize((1, 1)), "PNG"), None),
    ("one pixel high", lambda data, dice: _saved(_opened(data).resize((500, 1)), "PNG"), None),
    ("CMYK", lambda data, dice: _saved(_opened(data).convert("CMYK"), "JPEG"), None),
    ("16 bit", _sixteen_bit, None),
    ("alpha", lambda data, dice: _saved(_opened(data).convert("RGBA"), "PNG"), None),
    ("grey with alpha", lambda data, dice: _saved(_opened(data).convert("LA"), "PNG"), None),
    ("palette", lambda data, dice: _saved(_opened(data).convert("P"), "PNG"), None),
    ("one bit", lambda data, dice: _saved(_opened(data).convert("1"), "PNG"), None),
    ("floating point", lambda data, dice: _saved(_opened(data).convert("F"), "TIFF"), None),
    ("EXIF rotation", _rotated, None),
    ("animated", _animated, None),
    ("a decompression bomb", _bomb, False),
    ("WebP by this name", lambda data, dice: _saved(_opened(data), "WEBP"), None),
    ("BMP by this name", lambda data, dice: _saved(_opened(data), "BMP"), None),
]
"""Name, change of the file's bytes, and whether it must be accepted."""


def corrupt_one(change: Callable[[bytes, Random], bytes], pattern: str, folder: Path, dice: Random) -> None:
    """Change one image that a glob pattern finds."""
    file = dice.choice(sorted(folder.glob(pattern)))
    file.write_bytes(change(file.read_bytes(), dice))
