"""Images that Pillow reads, decoded to upright 8-bit RGB; for others, the reason why not."""

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
"""Case-folded suffixes of the files that count as images in a folder."""

_DEEP_GREY = ("I;16", "I;16B", "I;16L", "I;16N", "I")
_FULL_16_BIT = 257.0
"""65535 / 255."""


def read_rgb(source: Path | bytes, name: str | None = None, *, as_stored: bool = False) -> Image:
    """Decode one image to 8-bit RGB, upright by its EXIF orientation.

    Transparent images are composited on white. 16-bit and 32-bit greyscale is scaled to 8 bits (32-bit images with no
    value above 255 are kept), floating point from 0..1 to 0..255 (images with greater values count as 0..255). Of
    several frames the first is read.

    Args:
        source: a file, or its bytes.
        name: its name in messages (default: the path of a file).
        as_stored: leave the pixels as they are stored, whatever the EXIF orientation.

    Raises:
        DataError: it cannot be decoded; the message has the name and the reason.
    """
    defect, image = _decode(source, as_stored=as_stored)
    if image is None:
        raise DataError(
            f"{name or (source if isinstance(source, Path) else 'an image')}: {defect}."
            " Replace the file, or --set SKIP_BAD_ROWS=true."
        )
    return image


def image_digest(source: Path | bytes) -> str:
    """Return a digest of an encoded image, a file or its bytes; the path of a file that is gone."""
    from xxhash import xxh3_64_hexdigest

    try:
        return xxh3_64_hexdigest(source.read_bytes() if isinstance(source, Path) else source)
    except OSError:
        return str(source)


def find_defect(source: Path | bytes, *, decode: bool = True) -> str | None:
    """Return why an image cannot be read, or None if it can.

    Args:
        source: a file, or its bytes.
        decode: decode all of it. False reads the header only, which is hundreds of times faster and misses truncated
            files.
    """
    if decode:
        return _decode(source, as_stored=False)[0]
    from PIL import Image

    missing = _missing(source)
    if missing:
        return missing
    try:
        with Image.open(_stream(source)):
            return None
    except Exception as error:  # noqa: BLE001 - Pillow's format plugins raise whatever a broken file makes them raise
        return _reason(error)


def _missing(source: Path | bytes) -> str | None:
    if isinstance(source, bytes):
        return None if source else "is empty (0 bytes)"
    try:
        return None if source.stat().st_size else "is empty (0 bytes)"
    except OSError as error:
        return f"cannot be opened ({error.strerror})"


def _stream(source: Path | bytes) -> io.BytesIO | Path:
    return io.BytesIO(source) if isinstance(source, bytes) else source


def _decode(source: Path | bytes, *, as_stored: bool) -> tuple[str | None, Image | None]:
    from PIL import Image

    missing = _missing(source)
    if missing:
        return missing, None
    try:
        with Image.open(_stream(source)) as image:
            image.load()
            return None, _rgb(image if as_stored else _upright(image))
    except Exception as error:  # noqa: BLE001 - Pillow's format plugins raise whatever a broken file makes them raise
        return _reason(error), None


def _reason(error: Exception) -> str:
    from PIL import UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        return "is not an image in a format that Pillow reads"
    text = " ".join(str(error).split()) or type(error).__name__
    return f"cannot be decoded ({text[:120]})"


def _upright(image: Image) -> Image:
    from PIL import ImageOps

    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # noqa: BLE001 - the pixels are intact: broken EXIF leaves the image as stored
        return image


def _rgb(image: Image) -> Image:
    from PIL import Image

    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode in _DEEP_GREY or image.mode == "F":
        return _eight_bits(image).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        background = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        return Image.alpha_composite(background, rgba).convert("RGB")
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
