"""Which parameters weight decay pulls to zero: the matrices, in every loop alike."""

from __future__ import annotations

from torch import nn


def decays(parameter: nn.Parameter) -> bool:
    """Return whether weight decay applies to a parameter: to those with two dimensions or more.

    Biases, scales and shifts of norms of every kind, of SSF and of layer scale, and DoRA's magnitudes are vectors. Zero
    is not where they start (a scale's identity is 1), and Loshchilov and Hutter's decay (2019, arXiv:1711.05101) would
    pull them there, however little they learn. timm and most recipes of pretraining leave them out, too.
    """
    return parameter.ndim > 1
