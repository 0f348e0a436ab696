"""Layers of transformers' language models that can keep less for the backward pass, at the same results.

Nearly all decoders have the same gated layer and the same RMS norm, each under a name of its own. They are known by
their parts, and by what a small copy computes.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.distributed.tensor import DTensor
from torch.utils import checkpoint

from adapt_core.hf.loop.lean_functions import Activation, GatedLinear, GatedProduct
from adapt_core.nn.forwards import replaced_forwards
from adapt_core.nn.rms_norm import rms_norm

log = logging.getLogger(__name__)

Forward = Callable[..., torch.Tensor]

_GATED = ("gate_proj", "up_proj", "down_proj", "act_fn")
_EPSILONS = ("variance_epsilon", "eps")
_EXACT = (torch.float32, torch.float64)


def lean_forwards(model: nn.Module, *, recompute_mlp: bool = False) -> Mapping[nn.Module, Forward]:
    """Return the layers that can keep less, each with the forward function that does so.

    Args:
        model: the attached model; its weights may be on "meta".
        recompute_mlp: whether gated layers keep their input alone (RECOMPUTE_MLP).
    """
    found: dict[nn.Module, partial[torch.Tensor]] = {}
    known: dict[tuple[object, ...], bool] = {}
    for layer in model.modules():
        lean = _lean_form(layer)
        if lean is None or "forward" in vars(layer):
            continue
        kind = (type(layer), repr(getattr(layer, "act_fn", None)), *_settings(layer))
        if kind not in known:
            known[kind] = _computes_the_same(layer, lean)
        if known[kind]:
            form = _recomputed if recompute_mlp and lean is _gated else lean
            found[layer] = partial(form, layer, layer.forward)
    if recompute_mlp and not any(forward.func is _recomputed for forward in found.values()):
        log.warning("RECOMPUTE_MLP has no effect: %s has no gated layers that can be computed again.", _name(model))
    return found


def _name(model: nn.Module) -> str:
    return type(getattr(model, "base_model", model)).__name__


def _settings(layer: nn.Module) -> list[tuple[str, object]]:
    """Return the plain attributes of a layer, on which what it computes may depend."""
    own = vars(layer).items()
    return sorted((name, value) for name, value in own if name != "training" and isinstance(value, (int, float, str)))


def lean_layers(forwards: Mapping[nn.Module, Forward]) -> AbstractContextManager[None]:
    """Return a context in which layers use these forward functions.

    Args:
        forwards: what `lean_forwards` returned.
    """
    return replaced_forwards(forwards)


def _lean_form(layer: nn.Module) -> Callable[[Any, Forward, torch.Tensor], torch.Tensor] | None:
    """Return the function of a layer that has the parts of one of the two kinds, or None."""
    if not type(layer).__module__.startswith("transformers.models."):
        return None
    parts = dict(layer.named_children())
    if set(parts) == set(_GATED):
        activation = parts["act_fn"]
        drops = any(isinstance(part, nn.Dropout) for part in activation.modules())
        return None if drops or [*activation.parameters(), *layer.parameters(recurse=False)] else _gated
    own = dict(layer.named_parameters())
    is_norm = not parts and list(own) == ["weight"] and own["weight"].dim() == 1 and not list(layer.buffers())
    return _norm if is_norm and type(layer).__name__.endswith("Norm") and _epsilon(layer) is not None else None


def _epsilon(layer: nn.Module) -> float | None:
    found = [getattr(layer, name) for name in _EPSILONS if isinstance(getattr(layer, name, None), float)]
    return found[0] if len(found) == 1 else None


def _gated(layer: Any, own: Forward, x: torch.Tensor) -> torch.Tensor:
    """Return the output of a gated layer; where its last part is more than a matrix product, that part's own.

    A frozen last part keeps nothing by itself, and a recomputed block (GRADIENT_CHECKPOINTING) stops before it then.
    """
    activation: Activation = layer.act_fn
    if _has_hooks(activation):
        return own(x)
    gate, up, down = layer.gate_proj(x), layer.up_proj(x), layer.down_proj
    plain = type(down) is nn.Linear and not ("forward" in vars(down) or _has_hooks(down))
    output: torch.Tensor
    if not _is_exact([gate, up]):
        output = down(activation(gate) * up)
    elif plain and down.weight.requires_grad and _is_exact([up, down.weight]):
        output = GatedLinear.apply(gate, up, down.weight, down.bias, activation)
    else:
        output = down(GatedProduct.apply(gate, up, activation))
    return output


def _recomputed(layer: Any, own: Forward, x: torch.Tensor) -> torch.Tensor:
    """Return the output of a gated layer, which is computed again in the backward pass."""
    drops = any(isinstance(part, nn.Dropout) for part in layer.modules())  # adapters have one
    output: torch.Tensor = checkpoint.checkpoint(
        partial(_gated, layer, own), x, use_reentrant=False, preserve_rng_state=drops
    )
    return output


def _norm(layer: Any, own: Forward, x: torch.Tensor) -> torch.Tensor:
    if not _is_exact([x, layer.weight]):
        return own(x)
    epsilon = _epsilon(layer)
    assert epsilon is not None
    return rms_norm(x, layer.weight, epsilon)


def _is_exact(tensors: Iterable[torch.Tensor]) -> bool:
    """Return whether all have one type, of single precision or more, that autocast does not change.

    The tensors of a layer that FSDP shards are whole while it is called; those of one that it does not gather are not.
    """
    tensors = list(tensors)
    if any(isinstance(tensor, DTensor) for tensor in tensors):
        return False
    kinds = {(tensor.dtype, tensor.device.type) for tensor in tensors}
    return len(kinds) == 1 and all(dtype in _EXACT and not torch.is_autocast_enabled(kind) for dtype, kind in kinds)


def _has_hooks(layer: Any) -> bool:
    names = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return any(getattr(layer, name) for name in names)


@torch.random.fork_rng(devices=[])
@torch.no_grad()
def _computes_the_same(layer: nn.Module, lean: Callable[[Any, Forward, torch.Tensor], torch.Tensor]) -> bool:
    """Return whether a small copy of a layer, with weights of its own, gives the same result both ways."""
    torch.manual_seed(0)
    small: Any = copy.copy(layer)
    small._modules, small._parameters = dict(layer._modules), dict(layer._parameters)
    if lean is _gated:
        small.gate_proj, small.up_proj, small.down_proj = nn.Linear(4, 6), nn.Linear(4, 6), nn.Linear(6, 4)
    else:
        small._parameters["weight"] = nn.Parameter(torch.rand(4))
    x = 3 * torch.randn(2, 3, 4)
    try:
        expected = type(layer).forward(small, x)
    except (RuntimeError, TypeError, AttributeError, ValueError, AssertionError, IndexError, KeyError):
        # It needs more than its input, or another width.
        return False
    return torch.allclose(lean(small, small.forward, x), expected, rtol=1e-6, atol=1e-6)
