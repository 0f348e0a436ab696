"""The preparation of a quantized base before an adapter trains on it."""

from __future__ import annotations

from typing import Any

from torch import nn

from adapt_core.errors import InputError
from adapt_core.nn.precision import is_half

from adapt_peft_ssf.quantizers.conversion import no_layer, quantized_layers


def prepare(model: nn.Module, gradient_checkpointing: bool, flag: str) -> nn.Module:
    """Freeze a quantized model and prepare it for training an adapter.

    What is not quantized and held in half precision (norms, embeddings, heads) goes to float32, so that the stream
    between the layers is one type. With gradient checkpointing the inputs are made to need gradients.

    Args:
        model: the quantized model.
        gradient_checkpointing: whether activations are recomputed.
        flag: "is_loaded_in_4bit" or "is_loaded_in_8bit", by which peft chooses its layers.

    Raises:
        InputError: nothing in the model is quantized.
    """
    layers = dict(quantized_layers(model))
    if not layers:
        raise InputError(no_layer(model))
    quantized = {id(layer.weight) for layer in layers.values()}
    for parameter in model.parameters():
        parameter.requires_grad_(False)
        if is_half(parameter.dtype) and id(parameter) not in quantized:
            parameter.data = parameter.data.float()
    for layer in layers.values():
        cure(layer)
    setattr(model, flag, True)
    if gradient_checkpointing:
        enable: Any = getattr(model, "enable_input_require_grads", None)
        if enable is not None:
            enable()
    return model


def cure(layer: nn.Module) -> None:
    """Keep a layer of bitsandbytes from what would break training on it.

    On a CPU with AVX512-BF16 a `Linear4bit` repacks its weight at the first evaluation, and nothing trains or merges
    rightly from then on; its bias is rounded to the compute type at the first forward, which is done here so that
    frozen tensors stay as they are. See `layers.Linear8bitLt` for the 8-bit ones.
    """
    import bitsandbytes as bnb

    from adapt_peft_ssf.quantizers.layers import Linear8bitLt

    if isinstance(layer, bnb.nn.Linear4bit):
        layer.support_avx512bf16_for_cpu = False
        if layer.bias is not None and layer.compute_dtype is not None:
            layer.bias.data = layer.bias.data.to(layer.compute_dtype)
    elif type(layer) is bnb.nn.Linear8bitLt:
        layer.__class__ = Linear8bitLt
