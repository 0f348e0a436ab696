"""An adapter of peft on one convolution, tried before training: whether its merge computes what it computes."""

from __future__ import annotations

import copy
import warnings

import torch
from peft import PeftConfig, get_peft_model
from torch import nn

from adapt_peft_ssf.layers import CONVOLUTIONS, input_shape
from adapt_peft_ssf.methods.peft_models import UNSUITABLE, reason
from adapt_peft_ssf.weights import has_plain_weight

_TOLERANCE = 0.01
"""Of what the adapter changes. Rounding stays far below it, and what a forgotten padding mode does far above."""


class _Alone(nn.Module):
    """A model of one layer."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        outputs: torch.Tensor = self.layer(inputs)
        return outputs


def unfaithful(layer: nn.Module, config: PeftConfig) -> str | None:
    """Return why an adapter on a convolution would not train, or merge to another layer, or None where it is right.

    peft computes the update of a convolution by one of its own, which does not have everything that the layer has. A
    copy of the layer with random weights, its adapter moved from its start, is merged, and the outputs are compared.
    Layers that are no convolutions are right, and what peft refuses or says it cannot merge is left to its own errors.

    Args:
        layer: of a plain model; it stays as it is.
        config: whose `target_modules` is `["layer"]`.
    """
    if not isinstance(layer, CONVOLUTIONS) or not has_plain_weight(layer):
        return None
    name = str(getattr(config.peft_type, "value", config.peft_type))
    with torch.device("cpu"), torch.random.fork_rng(), warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.manual_seed(0)
        alone = _Alone(_random_copy(layer)).eval()
        inputs = torch.randn(input_shape(layer))
        plain = alone(inputs)
        try:
            attached = get_peft_model(alone, config).eval()
        except UNSUITABLE:  # attached to the whole model, it is told
            return None
        for parameter in attached.parameters():
            if parameter.requires_grad:
                parameter.add_(0.1 * torch.randn_like(parameter))
        try:
            trained = attached(inputs)
        except (RuntimeError, *UNSUITABLE) as error:
            return f"peft's {name} fails on {_described(layer)} ({reason(error)[:100]})"
        try:
            merged = attached.merge_and_unload()(inputs)
        except (ValueError, NotImplementedError):
            return None
        except (RuntimeError, *UNSUITABLE) as error:
            return f"peft's {name} cannot merge {_described(layer)} ({reason(error)[:100]})"
    if trained.shape == merged.shape and _is_close(trained, merged, (merged - plain).abs().max()):
        return None
    return f"peft's {name} merges {_described(layer)} to something else than it trains"


def _is_close(trained: torch.Tensor, merged: torch.Tensor, change: torch.Tensor) -> bool:
    return bool((trained - merged).abs().max() <= _TOLERANCE * change)


def _random_copy(layer: nn.Module) -> nn.Module:
    """Return a copy on the CPU in float32, whatever the layer's device ("meta" in `adapt check`) and type are."""
    with torch.device("meta"):
        shape = copy.deepcopy(layer).to("meta")
    made = shape.to_empty(device="cpu").float()
    for parameter in made.parameters():
        nn.init.normal_(parameter, std=0.1)
    for buffer in made.buffers():
        buffer.zero_()
    return made


def _described(layer: nn.Module) -> str:
    assert isinstance(layer, CONVOLUTIONS)
    has = [
        *(["groups"] if layer.groups > 1 else []),
        *(["dilation"] if any(step > 1 for step in layer.dilation) else []),
        *([f"{layer.padding_mode} padding"] if layer.padding_mode != "zeros" else []),
    ]
    return f"a convolution with {' and '.join(has)}" if has else f"a {type(layer).__name__}"
