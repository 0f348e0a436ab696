"""Label Studio's brush masks: the run-length encoding of the package @thi.ng/rle-pack over the bytes of an RGBA image.

A stream of bits: 32 for the number of values, 5 for the width of a value less 1, four times 4 for the widths of run
lengths less 1; then for each run a bit (1: one value repeated), 2 bits that choose a width, the length less 1, values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from adapt_vision_mm.annotations.rle import encode_part
from adapt_vision_mm.annotations.shapes import Shape, ShapeError, bitmap

if TYPE_CHECKING:
    import numpy

    from adapt_vision_mm.annotations.annotated_split import AnnotatedImage

_CHANNELS = 4


class _Bits:
    """A stream of bits, the highest of each byte first."""

    def __init__(self, content: bytes) -> None:
        self._left = 8 * len(content)
        self._bytes = content
        self._position = 0

    def read(self, count: int) -> int:
        """Return the next bits as a number.

        Raises:
            ShapeError: there are fewer.
        """
        start, end = self._position, self._position + count
        if end > self._left:
            raise ShapeError("its brush mask (rle) ends too early")
        part = int.from_bytes(self._bytes[start // 8 : (end + 7) // 8], "big")
        self._position = end
        return part >> (-end % 8) & ((1 << count) - 1)


def read_brush(rle: object, image: AnnotatedImage) -> Shape:
    """Return a brush mask.

    Raises:
        ShapeError: it is no list of bytes, not that of its image, or empty.
    """
    if not isinstance(rle, list) or not all(type(one) is int and 0 <= one < 256 for one in rle):
        raise ShapeError("its brush mask (rle) is no list of bytes")
    pixels = _decode(_Bits(bytes(rle)), image)
    if not pixels.any():
        raise ShapeError("its brush mask has no pixel")
    return bitmap(*encode_part(pixels, 0, 0, image))


def _decode(bits: _Bits, image: AnnotatedImage) -> numpy.ndarray[Any, Any]:
    """Return the opacity of each pixel: (height, width)."""
    import numpy

    count = bits.read(32)
    if count != image.width * image.height * _CHANNELS:
        raise ShapeError(
            f"its brush mask (rle) has {count} values; an image of {image.width} x {image.height} has "
            f"{image.width * image.height * _CHANNELS}"
        )
    width = bits.read(5) + 1
    lengths = [bits.read(4) + 1 for _ in range(4)]
    values = numpy.zeros(count, dtype="uint8")
    at = 0
    while at < count:
        repeats = bits.read(1)
        end = at + 1 + bits.read(lengths[bits.read(2)])
        if end > count:
            raise ShapeError("its brush mask (rle) has more values than its image")
        if repeats:
            values[at:end] = bits.read(width) & 255
        else:
            values[at:end] = [bits.read(width) & 255 for _ in range(at, end)]
        at = end
    return values.reshape(image.height, image.width, _CHANNELS)[:, :, 3]
