"""LoftQ: a LoRA on a base in 4 bits that starts with what the 4 bits rounded away (Li et al., 2023, arXiv:2310.08659).

The base stays as it was quantized, so the adapter is one for the published model in 4 bits. peft's own function for
this works on CUDA alone and leaves the adapter's scale out: its start is alpha / r times too large.
"""

from __future__ import annotations

from pathlib import Path

import torch
from peft.tuners.lora import LoraLayer
from peft.utils.integrations import dequantize_module_weight
from peft.utils.loftq_utils import _SafetensorLoader
from torch import nn

from adapt_core.errors import InputError

from adapt_peft_ssf.methods.peft_models import ADAPTER, plain_name


@torch.no_grad()
def start_by_rounding(model: nn.Module) -> None:
    """Start each adapter on a layer in 4 bits with the best approximation of the weight's rounding error.

    Raises:
        InputError: no layer is in 4 bits, or the weights before rounding are not in a .safetensors file of the model.
    """
    layers = {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, LoraLayer) and type(module.get_base_layer()).__name__ == "Linear4bit"
    }
    if not layers:
        raise InputError("init_lora_weights: loftq makes up for a base in 4 bits. Set load_in_4bit: true, or use true.")
    for name, layer in layers.items():
        base, rank = layer.get_base_layer(), layer.r[ADAPTER]
        rounded = dequantize_module_weight(base).float()
        weight = _published(model, f"{plain_name(name)}.weight").to(rounded)
        if weight.shape != rounded.shape:
            raise InputError(
                f"init_lora_weights: loftq: {plain_name(name)} has another shape in the model's file. Use true."
            )
        u, s, v = torch.linalg.svd(weight - rounded, full_matrices=False)
        root = (s[:rank] / layer.scaling[ADAPTER]).sqrt()
        down, up = layer.lora_A[ADAPTER].weight, layer.lora_B[ADAPTER].weight
        down.copy_(root[:, None] * v[:rank])
        up.copy_(u[:, :rank] * root)


def _published(model: nn.Module, name: str) -> torch.Tensor:
    source = str(getattr(getattr(model, "config", None), "_name_or_path", "") or "")
    try:
        loader = _SafetensorLoader(model, source if Path(source).is_dir() else None)
        tensor: torch.Tensor = loader.get_tensor(name)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise InputError(
            f"init_lora_weights: loftq needs the model's weights before they were rounded, and {name} is not in a "
            f".safetensors file of {source or 'the model'} ({type(error).__name__}). Use true or eva."
        ) from error
    return tensor
