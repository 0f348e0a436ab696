"""The outputs of an encoder, computed once where an evaluation generates from a batch and computes its loss, too.

transformers' Seq2SeqTrainer runs the encoder for `generate` and again for the loss.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from typing import Any

import torch
from torch import nn
from transformers.utils import ModelOutput

_WITHOUT_EFFECT = ("labels", "return_dict", "use_cache")
"""Arguments that `generate` or the model hands on and that do not change what an encoder returns."""

_Call = tuple[Mapping[str, torch.Tensor], object]


def encoder_of(model: nn.Module) -> nn.Module | None:
    """Return the encoder of an encoder-decoder, or None.

    Args:
        model: the attached model, in a wrapper of peft or not.
    """
    base: Any = getattr(model, "get_base_model", lambda: model)()
    if not getattr(getattr(base, "config", None), "is_encoder_decoder", False):
        return None
    encoder: nn.Module = base.get_encoder()
    return None if encoder is base else encoder


@contextmanager
def encoded_once(encoder: nn.Module | None) -> Iterator[None]:
    """Within the context, an encoder in evaluation mode computes the same tensors once.

    The tensors are those of a batch, which nothing changes meanwhile.

    Args:
        encoder: what `encoder_of` returned.
    """
    if encoder is None or encoder.training or "forward" in vars(encoder):
        yield
        return
    plain = encoder.forward
    computed: list[tuple[_Call, ModelOutput]] = []

    @wraps(plain)  # `generate` reads the signature
    def forward(*args: Any, **kwargs: Any) -> Any:
        call = None if args or torch.is_grad_enabled() else _call(kwargs)
        for known, outputs in computed:
            if call is not None and _same(known, call):
                return type(outputs)(**outputs)
        outputs = plain(*args, **kwargs)
        if call is not None and isinstance(outputs, ModelOutput):
            computed.append((call, type(outputs)(**outputs)))  # a copy: a beam search repeats the rows in place
        return outputs

    vars(encoder)["forward"] = forward
    try:
        yield
    finally:
        del vars(encoder)["forward"]


def _call(kwargs: Mapping[str, Any]) -> _Call | None:
    """Return what the outputs depend on: tensors, and autocast; None where something else is asked for."""
    given = {name: value for name, value in kwargs.items() if value is not None and value is not False}
    given = {name: value for name, value in given.items() if name not in _WITHOUT_EFFECT}
    if not given or not all(isinstance(value, torch.Tensor) for value in given.values()):
        return None
    device = next(iter(given.values())).device.type
    return given, (torch.is_autocast_enabled(device), torch.get_autocast_dtype(device))


def _same(one: _Call, other: _Call) -> bool:
    (tensors, state), (others, other_state) = one, other
    return state == other_state and tensors.keys() == others.keys() and all(v is others[n] for n, v in tensors.items())
