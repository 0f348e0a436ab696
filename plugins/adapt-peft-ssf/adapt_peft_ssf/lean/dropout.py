"""Dropout with torch's own random numbers, of which one bit for each number is kept.

To draw the numbers again from the state of the generator would keep nothing, but torch needs as long for them as for
half of the layer's product.
"""

from __future__ import annotations

import torch

_GATHER = 0x0102040810204080
_SPREAD = 0x0101010101010101
_BIT_OF_BYTE = 0x8040201008040201 - (1 << 64)
_BELOW_TOP = 0x7F7F7F7F7F7F7F7F


def dropped(x: torch.Tensor, share: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Return x with a share of its numbers set to zero and the rest scaled up, as `nn.Dropout`, and what was kept.

    Returns:
        the numbers, and a bit for each of them, packed, for `factors`.
    """
    if x.device.type == "cpu":  # The same numbers as of its operator, without a product of two types.
        kept = torch.empty(x.shape, dtype=torch.bool).bernoulli_(1 - share)
        numbers = _factors(kept.view(torch.uint8), x, share).mul_(x)
    else:
        numbers, kept = torch.native_dropout(x, share, True)
    return numbers, _packed(kept)


def factors(bits: torch.Tensor, like: torch.Tensor, share: float) -> torch.Tensor:
    """Return by what `dropped` multiplied each number: 0 or 1 / (1 - share).

    Args:
        bits: what `dropped` returned.
        like: a tensor of the shape and type wanted.
        share: of the numbers that are dropped.
    """
    return _factors(_unpacked(bits, like.numel()), like, share)


def _factors(kept: torch.Tensor, like: torch.Tensor, share: float) -> torch.Tensor:
    return kept.to(like.dtype).mul_(1 / (1 - share)).view(like.shape)


def _packed(kept: torch.Tensor) -> torch.Tensor:
    """Return the truth values as bits, eight to a byte: a product moves the eight bytes of a word into its top byte."""
    values = kept.flatten()
    if values.numel() % 8:
        values = torch.nn.functional.pad(values, (0, -values.numel() % 8))
    words = values.view(torch.int64).mul(_GATHER)
    return words.bitwise_right_shift_(56).bitwise_and_(0xFF).to(torch.uint8)


def _unpacked(bits: torch.Tensor, count: int) -> torch.Tensor:
    """Return the first `count` bits, each as a byte that is 0 or 1."""
    words = bits.to(torch.int64).mul_(_SPREAD).bitwise_and_(_BIT_OF_BYTE)
    return words.add_(_BELOW_TOP).bitwise_right_shift_(7).bitwise_and_(_SPREAD).view(torch.uint8)[:count]
