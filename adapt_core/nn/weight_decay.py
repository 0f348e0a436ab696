"""Which parameters weight decay pulls to zero: the matrices, in every loop alike."""

from __future__ import annotations

import torch
from torch import nn

_SCALES = "_adapt_scales"


def decays(parameter: nn.Parameter) -> bool:
    """Return whether weight decay applies to a parameter by its shape: to those with two dimensions or more.

    Biases, scales and shifts of norms of every kind, of SSF and of layer scale, and DoRA's magnitudes are vectors. Zero
    is not where they start (a scale's identity is 1), and Loshchilov and Hutter's decay (2019, arXiv:1711.05101) would
    pull them there, however little they learn. timm and most recipes of pretraining leave them out, too.

    A vector stays one in a shape that broadcasts, (1, channels, 1, 1) or (heads, 1, 1). In two dimensions (1, n) is the
    weight of a layer with one output: `keep_scales` tells scales from those.
    """
    return parameter.ndim > 1 and (parameter.ndim == 2 or sum(side > 1 for side in parameter.shape) > 1)


def keep_scales(model: nn.Module, names: list[str]) -> None:
    """Exempt those of the named parameters from decay that are 1 throughout, before they are trained.

    Scales of adapters (IA3, BOFT) are matrices with one row or one column. What they are is noted on the module that
    holds them, so that sharded copies of them are known, too.

    Args:
        model: with a fresh adapter.
        names: of the adapter's parameters.
    """
    parameters = dict(model.named_parameters())
    for name in names:
        parameter = parameters[name]
        if not parameter.is_meta and bool((parameter.detach() == torch.ones_like(parameter)).all()):
            path, _, own = name.rpartition(".")
            owner = model.get_submodule(path)
            vars(owner)[_SCALES] = {*vars(owner).get(_SCALES, ()), own}


def decaying(model: nn.Module) -> set[str]:
    """Return the names of a model's parameters that weight decay applies to; tied ones have a name each."""
    scales = {
        f"{path}.{name}" if path else name
        for path, module in model.named_modules(remove_duplicate=False)
        for name in vars(module).get(_SCALES, ())
    }
    return {name for name, parameter in model.named_parameters(remove_duplicate=False) if decays(parameter)} - scales
