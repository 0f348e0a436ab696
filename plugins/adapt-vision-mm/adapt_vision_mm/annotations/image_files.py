"""Defects of image files, found in their first and last bytes: missing, truncated, not an image."""

from __future__ import annotations

import os
from pathlib import Path

_TAIL = 64
_ORIENTATION = 0x0112
_QUARTER_TURNS = (5, 6, 7, 8)
_ENDS = {"JPEG": b"\xff\xd9", "PNG": b"IEND"}
SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".jfif", ".avif")
"""Suffixes that are tried, in small and in capital letters, where a format names images without one."""


def image_defect(path: Path) -> str | None:
    """Return why an image cannot be used, or None if it can.

    Nothing is decoded unless the end of the file looks wrong, so thousands of images take a second.
    """
    from PIL import Image

    if not os.path.isfile(path):  # Path.is_file raises where a path is longer than any file's
        return "image is missing"
    try:
        image_sizes(path)
    except OSError:
        return "image cannot be read"
    with Image.open(path) as image:
        kind = image.format or ""
    if not _is_complete(path, kind):
        return "image is truncated"
    return None


def image_sizes(path: Path) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return (width, height) with the EXIF rotation applied, and as stored.

    Raises:
        OSError: it is not an image.
    """
    from PIL import Image

    with Image.open(path) as image:
        stored = image.size
        turned = image.getexif().get(_ORIENTATION) in _QUARTER_TURNS
    return (stored[::-1] if turned else stored), stored


class SizeError(ValueError):
    """The annotated size of an image is not that of its file; the message says both."""


def annotated_size(given: tuple[float, float], upright: tuple[int, int], stored: tuple[int, int]) -> tuple[int, int]:
    """Return the (width, height) of a file that its annotation means: with the EXIF rotation where both agree.

    Args:
        given: the annotated size; a side of 0 is not annotated.
        upright: the file's with the EXIF rotation.
        stored: the file's without.

    Raises:
        SizeError: it agrees with neither.
    """
    for size in (upright, stored):
        if all(side in (0, own) for side, own in zip(given, size, strict=True)):
            return size
    shown = " x ".join(f"{side:g}" if side else "?" for side in given)
    raise SizeError(f"image is {upright[0]} x {upright[1]}, annotated as {shown}")


def find_image(folder: Path, name: str) -> Path | None:
    """Return the image of a name without suffix, or None if there is none."""
    candidates = (folder / f"{name}{suffix}" for each in SUFFIXES for suffix in (each, each.upper()))
    return next((path for path in candidates if os.path.isfile(path)), None)


def _is_complete(path: Path, kind: str) -> bool:
    from PIL import Image

    end = _ENDS.get(kind)
    if end is None:
        return True
    with path.open("rb") as file:
        file.seek(-min(_TAIL, path.stat().st_size), 2)
        if end in file.read():
            return True
    # A JPEG may have trailing data after its end marker: only decoding shows whether it is complete.
    try:
        with Image.open(path) as image:
            image.load()
    except OSError:
        return False
    return True
