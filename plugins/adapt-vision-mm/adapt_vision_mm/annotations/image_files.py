"""Image files judged by their first and last bytes: there, whole, and as large as annotated."""

from __future__ import annotations

from pathlib import Path

_TAIL = 64
_ORIENTATION = 0x0112
_QUARTER_TURNS = (5, 6, 7, 8)
_ENDS = {"JPEG": b"\xff\xd9", "PNG": b"IEND"}
_WIDE = ("F", "I")
SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")


def image_fault(path: Path) -> str | None:
    """Why an image cannot be used, or None. Nothing is decoded, so thousands take a second."""
    from PIL import Image

    if not path.is_file():
        return "image is missing"
    try:
        sizes(path)
    except OSError:
        return "image cannot be read"
    with Image.open(path) as image:
        kind, mode = image.format or "", image.mode
    if kind == "TIFF" and mode in _WIDE:
        return "image has samples of 32 bits, which OpenCV does not decode: save it with 8 or 16"
    if not _is_whole(path, kind):
        return "image is truncated"
    return None


def sizes(path: Path) -> tuple[tuple[int, int], tuple[int, int]]:
    """(width, height) as shown, its EXIF rotation applied, and as stored.

    Raises:
        OSError: it is no image.
    """
    from PIL import Image

    with Image.open(path) as image:
        stored = image.size
        turned = image.getexif().get(_ORIENTATION) in _QUARTER_TURNS
    return (stored[::-1] if turned else stored), stored


def _is_whole(path: Path, kind: str) -> bool:
    from PIL import Image

    end = _ENDS.get(kind)
    if end is None:
        return True
    with path.open("rb") as file:
        file.seek(-min(_TAIL, path.stat().st_size), 2)
        if end in file.read():
            return True
    # A JPEG may carry anything behind its picture: only decoding tells.
    try:
        with Image.open(path) as image:
            image.load()
    except OSError:
        return False
    return True
