"""The method DoRA, on peft."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import torch
from peft import PeftConfig
from peft.tuners.lora import LoraLayer
from peft.utils.integrations import dequantize_module_weight
from torch import nn

from adapt_core.contracts import AttachContext
from adapt_core.errors import InputError
from adapt_core.nn.precision import is_half

from adapt_peft_ssf.layers import CONVOLUTIONS
from adapt_peft_ssf.lean.norms import keep_norms
from adapt_peft_ssf.methods.lora import Lora
from adapt_peft_ssf.weights import has_plain_weight

log = logging.getLogger(__name__)

_PLAIN_FORWARDS = (nn.Conv1d.forward, nn.Conv2d.forward, nn.Conv3d.forward)


class Dora(Lora):
    """DoRA: weight-decomposed low-rank adaptation (Liu et al., 2024, arXiv:2402.09353).

    It trains the magnitude of each output's weight next to LoRA's update of its direction.
    """

    name = "DoRA"
    decomposes = True

    def make_config(self, targets: list[str] | str, layers: Sequence[nn.Module], saved: list[str]) -> PeftConfig:
        """Return LoRA's config with `use_dora`.

        Raises:
            InputError: a layer keeps its weight in a form that peft cannot dequantize.
        """
        # One layer of each kind: peft dequantizes every weight once more when it computes the norms.
        kinds = {(type(layer), type(getattr(layer, "weight", None))): layer for layer in layers}
        for layer in kinds.values():
            if isinstance(layer, nn.Linear) and not _peft_knows_the_weight(layer):
                raise InputError(
                    f"method DoRA needs the norms of the weights, and peft cannot dequantize those of "
                    f"{type(layer).__name__} layers. Use LoRA or SSF, or quantize with load_in_4bit or load_in_8bit."
                )
        return super().make_config(targets, layers, saved)

    def finish(self, attached: nn.Module, context: AttachContext, further: Sequence[str]) -> nn.Module:
        """Choose what trains as LoRA does, without dropout where peft convolves anew; norms are kept in evaluation."""
        attached = super().finish(attached, context, further)
        _without_dropout_where_peft_convolves_anew(attached)
        keep_norms(attached)
        return attached

    def attach(self, model: nn.Module, context: AttachContext) -> nn.Module:
        """Attach as LoRA does.

        Raises:
            InputError: as LoRA's, or an 8-bit base keeps its weights in float.
        """
        _refuse_float_in_8_bits(model)
        return super().attach(model, context)

    def go_on(self, model: nn.Module, context: AttachContext, folder: Path) -> nn.Module:
        """Attach a saved adapter, to train it further. Raises as `attach` does."""
        _refuse_float_in_8_bits(model)
        return super().go_on(model, context, folder)

    def load_adapter(self, model: nn.Module, folder: Path) -> nn.Module:
        """Attach the adapter of a folder to its base model, as every adapter; norms are kept between answers."""
        loaded = super().load_adapter(model, folder)
        keep_norms(loaded)
        return loaded


def _refuse_float_in_8_bits(model: nn.Module) -> None:
    states = (getattr(module, "state", None) for module in model.modules())
    if any(getattr(state, "has_fp16_weights", False) for state in states):
        raise InputError(
            "method DoRA needs the norms of the weights, which peft cannot take from 8-bit layers that keep their "
            "weights in float. Set llm_int8_has_fp16_weight: false, or use LoRA or SSF."
        )


def _peft_knows_the_weight(layer: nn.Linear) -> bool:
    """Return whether peft gets from a layer the weight that it computes with."""
    if has_plain_weight(layer):
        return True
    if type(layer.weight) is nn.Parameter:
        return False  # codes, which peft would take for the weight itself
    weight: torch.Tensor = dequantize_module_weight(layer)
    return weight.is_floating_point() and weight.shape == (layer.out_features, layer.in_features)


def _is_own_convolution(layer: nn.Module) -> bool:
    convolution = isinstance(layer, CONVOLUTIONS)
    return convolution and type(layer).forward not in _PLAIN_FORWARDS


def _is_half_convolution(layer: nn.Module) -> bool:
    return isinstance(layer, CONVOLUTIONS) and is_half(layer.weight.dtype)


def _without_dropout_where_peft_convolves_anew(model: nn.Module) -> None:
    """Remove dropout from convolutions that pad their inputs, or whose weight is in half precision.

    Behind a dropout peft computes a convolution anew, without the padding that the layer's own forward adds, and with
    inputs in the adapter's float32.
    """
    found = [
        module
        for module in model.modules()
        if isinstance(module, LoraLayer)
        and (_is_own_convolution(module.get_base_layer()) or _is_half_convolution(module.get_base_layer()))
    ]
    for module in found:
        for adapter in module.lora_dropout:
            module.lora_dropout[adapter] = nn.Identity()
    if found:
        kinds = "that pad their inputs themselves or are in half precision"
        log.info("DoRA uses no dropout on %d convolutions %s", len(found), kinds)
