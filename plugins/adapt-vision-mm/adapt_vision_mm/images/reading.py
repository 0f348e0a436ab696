"""Any image that Pillow reads as upright 8-bit RGB, and what is wrong with those it does not."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from adapt_core.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

_JPEG = (".jpg", ".jpeg", ".jfif", ".jp2")
_NETPBM = (".ppm", ".pgm", ".pnm")
SUFFIXES = frozenset((*_JPEG, *_NETPBM, ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".avif"))
"""Suffixes (folded) of the files that are taken for images in a folder."""

_DEEP_GREY = ("I;16", "I;16B", "I;16L", "I;16N", "I")
_FULL_16_BIT = 257.0
"""65535 / 255."""


def read_rgb(source: Path | bytes, name: str | None = None) -> Image:
    """One image, decoded whole: 8-bit RGB, turned upright as its EXIF orientation says.

    Transparency is laid on white. 16-bit and 32-bit grey is scaled to 8 bits (32-bit values up to 255 stay), floating
    point from 0..1 to 0..255 (greater values are taken for 0..255 already). Of several frames the first is read.

    Args:
        source: a file, or its bytes.
        name: what to call it in messages; for a file its path.

    Raises:
        DataError: it cannot be read, with the name and the reason.
    """
    fault, image = _decoded(source)
    if image is None:
        raise DataError(f"{name or (source if isinstance(source, Path) else 'an image')}: {fault}.")
    return image


def fault_of(source: Path | bytes, *, whole: bool = True) -> str | None:
    """Why an image cannot be read, or None.

    Args:
        source: a file, or its bytes.
        whole: decode all of it; else only look at its header, which is hundreds of times as fast and misses a file
            that was cut short.
    """
    if whole:
        return _decoded(source)[0]
    from PIL import Image

    empty = _empty(source)
    if empty:
        return empty
    try:
        with Image.open(_stream(source)):
            return None
    except Exception as error:  # noqa: BLE001 - Pillow's format plugins raise whatever a broken file makes them raise
        return _reason(error)


def _empty(source: Path | bytes) -> str | None:
    if isinstance(source, bytes):
        return None if source else "is empty (0 bytes)"
    try:
        return None if source.stat().st_size else "is empty (0 bytes)"
    except OSError as error:
        return f"cannot be opened ({error.strerror})"


def _stream(source: Path | bytes) -> io.BytesIO | Path:
    return io.BytesIO(source) if isinstance(source, bytes) else source


def _decoded(source: Path | bytes) -> tuple[str | None, Image | None]:
    from PIL import Image

    empty = _empty(source)
    if empty:
        return empty, None
    try:
        with Image.open(_stream(source)) as image:
            image.load()
            return None, _rgb(_upright(image))
    except Exception as error:  # noqa: BLE001 - Pillow's format plugins raise whatever a broken file makes them raise
        return _reason(error), None


def _reason(error: Exception) -> str:
    from PIL import UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        return "is no image of a kind that Pillow reads"
    text = " ".join(str(error).split()) or type(error).__name__
    return f"cannot be decoded ({text[:120]})"


def _upright(image: Image) -> Image:
    from PIL import ImageOps

    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # noqa: BLE001 - broken EXIF says nothing of the picture, which is whole and stays as it lies
        return image


def _rgb(image: Image) -> Image:
    from PIL import Image

    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode in _DEEP_GREY or image.mode == "F":
        return _eight_bits(image).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        layered = image.convert("RGBA")
        ground = Image.new("RGBA", layered.size, (255, 255, 255, 255))
        return Image.alpha_composite(ground, layered).convert("RGB")
    return image.convert("RGB")


def _eight_bits(image: Image) -> Image:
    import numpy
    from PIL import Image

    values = numpy.nan_to_num(numpy.asarray(image).astype(numpy.float32))
    if image.mode == "F":
        values = values * 255 if values.max(initial=0) <= 1 else values
    elif image.mode != "I" or values.max(initial=0) > 255:
        values = values / _FULL_16_BIT
    return Image.fromarray(values.clip(0, 255).round().astype(numpy.uint8))
