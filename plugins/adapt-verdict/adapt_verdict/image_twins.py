"""Images that are nearly the same: candidates by perceptual hashes, decided by their thumbnails.

The hash is imagehash's `phash`: signs of the low frequencies of a discrete cosine transform, 64 bits.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import numpy

if TYPE_CHECKING:
    from numpy.typing import NDArray

BITS = 18
"""Bits of 64 in which the hashes of candidates differ at most; unrelated images differ in 32 +- 4."""

ALIKE = 0.93
"""Correlation of the thumbnails of two images, at the best of a few crops."""

SIDE = 32
"""Of a thumbnail, in pixels."""

CROPS = (1.0, 0.96, 0.92)
"""Shares of width and height that are compared: one of the images may have lost a margin."""


@attrs.frozen(eq=False)
class Fingerprint:
    """What is kept of an image: its hash as 64 bits, and a grey thumbnail of each crop, centred and of unit length."""

    bits: NDArray[numpy.bool_]
    thumbnails: NDArray[numpy.float32]


def fingerprint(source: Path | bytes) -> Fingerprint | None:
    """Return the fingerprint of an image, None where it cannot be read."""
    import imagehash
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(source if isinstance(source, Path) else io.BytesIO(source)) as image:
            image.draft("L", (4 * SIDE, 4 * SIDE))  # a JPEG is decoded at the nearest size above
            grey = ImageOps.exif_transpose(image).convert("L")
    except (OSError, ValueError, UnidentifiedImageError):
        return None
    grey = grey.resize((4 * SIDE, 4 * SIDE), Image.Resampling.BILINEAR)
    thumbnails = []
    for share in CROPS:
        margin = 4 * SIDE * (1 - share) / 2
        box = (margin, margin, 4 * SIDE - margin, 4 * SIDE - margin)
        small = grey.resize((SIDE, SIDE), Image.Resampling.BOX, box=box)
        pixels = numpy.asarray(small, dtype=numpy.float32).ravel()
        pixels -= pixels.mean()
        thumbnails.append(pixels / max(float(numpy.linalg.norm(pixels)), 1e-6))
    return Fingerprint(imagehash.phash(grey).hash.ravel(), numpy.stack(thumbnails))


class ImageTwins:
    """Images among which those that are nearly the same as another are found."""

    def __init__(self, known: Sequence[Fingerprint | None]) -> None:
        """Stack hashes and thumbnails.

        Args:
            known: fingerprints; None of images that cannot be read.
        """
        self._numbers = [number for number, one in enumerate(known) if one is not None]
        if self._numbers:
            self._bits = numpy.stack([one.bits for one in known if one is not None])
            self._thumbnails = numpy.stack([one.thumbnails for one in known if one is not None])

    def nearest(self, asked: Fingerprint | None) -> tuple[int, float] | None:
        """Return the number of the image that is most like another, and its likeness; None where none is nearly it."""
        if asked is None or not self._numbers:
            return None
        candidates = numpy.flatnonzero((self._bits != asked.bits).sum(axis=1) <= BITS)
        if not len(candidates):
            return None
        # Either image may be the one that lost a margin.
        likeness = numpy.maximum(
            (self._thumbnails[candidates] @ asked.thumbnails[0]).max(axis=1),
            (asked.thumbnails @ self._thumbnails[candidates, 0].T).max(axis=0),
        )
        best = int(likeness.argmax())
        return (self._numbers[candidates[best]], float(likeness[best])) if likeness[best] >= ALIKE else None
