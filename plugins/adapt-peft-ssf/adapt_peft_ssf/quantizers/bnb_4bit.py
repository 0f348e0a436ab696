"""The quantizer bnb_4bit."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from adapt_core.capabilities import StoredBytes

from adapt_peft_ssf.params import Bnb4bitParams
from adapt_peft_ssf.quantizers.conversion import dequantize, quantizable, replace_linears, weight_and_bias
from adapt_peft_ssf.quantizers.dequantization import cure_dequantization
from adapt_peft_ssf.quantizers.preparation import prepare

log = logging.getLogger(__name__)


class Bnb4bit:
    """Linear layers in 4 bits: nf4 (QLoRA, Dettmers et al., 2023, arXiv:2305.14314) or fp4."""

    def __init__(self, params: Bnb4bitParams) -> None:
        self.params = params

    def compute_dtype(self, device: str) -> str:
        """Return the type that 4-bit layers compute in on a device, and log it where it was not given."""
        if self.params.bnb_4bit_compute_dtype is not None:
            return self.params.bnb_4bit_compute_dtype
        chosen = "float16"
        if not device.startswith("cuda"):
            from bitsandbytes.functional import has_avx512bf16

            chosen = "bfloat16" if has_avx512bf16() else "float32"
        log.info("bnb_4bit_compute_dtype is not given: %s, which suits this device (%s).", chosen, device)
        return chosen

    def hf_options(self, skip: Sequence[str], device: str) -> Mapping[str, Any]:
        """Return the `quantization_config` of `from_pretrained`, with the head left out, and the device."""
        from transformers import BitsAndBytesConfig

        cure_dequantization()
        params = self.params
        config = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_compute_dtype=self.compute_dtype(device),
            bnb_4bit_quant_type=params.bnb_4bit_quant_type,
            bnb_4bit_use_double_quant=params.bnb_4bit_use_double_quant,
            bnb_4bit_quant_storage=params.bnb_4bit_quant_storage,
            llm_int8_skip_modules=self._skipped(skip),
        )
        return {"quantization_config": config, "device_map": {"": device}}

    def _skipped(self, skip: Sequence[str]) -> list[str]:
        return list(dict.fromkeys([*skip, *(self.params.llm_int8_skip_modules or ())]))

    def convert(self, model: nn.Module, skip: Sequence[str], device: str) -> nn.Module:
        """Replace the Linear layers of any module in place."""
        import bitsandbytes as bnb

        cure_dequantization()
        params = self.params
        compute = getattr(torch, self.compute_dtype(device))
        storage = getattr(torch, params.bnb_4bit_quant_storage)

        def make(plain: nn.Module) -> nn.Module:
            weight, bias = weight_and_bias(plain)
            outputs, inputs = weight.shape
            layer: Any = bnb.nn.Linear4bit(inputs, outputs, bias=bias is not None, compute_dtype=compute, device="meta")
            layer.weight = bnb.nn.Params4bit(
                weight,
                requires_grad=False,
                compress_statistics=params.bnb_4bit_use_double_quant,
                quant_type=params.bnb_4bit_quant_type,
                quant_storage=storage,
                module=layer,
            ).to(device)
            layer.quant_storage = storage
            quantized: nn.Module = layer
            return quantized

        replace_linears(model, self._skipped(skip), make, device)
        return model

    def quantized_bytes(self, model: nn.Module, skip: Sequence[str]) -> Mapping[str, StoredBytes]:
        """Return the bytes: half a byte a weight, and a scale for each 64 weights.

        A scale is a float32, or with double quantization one byte, with a float32 for each 256 scales, an offset, and a
        table of 256 float32.
        """
        found = {}
        for name in quantizable(model, self._skipped(skip)):
            weight: Any = model.get_submodule(name).weight
            blocks = math.ceil(weight.numel() / 64)
            nested = blocks + 4 * math.ceil(blocks / 256) + 4 + 4 * 256
            scales = nested if self.params.bnb_4bit_use_double_quant else 4 * blocks
            found[f"{name}.weight"] = StoredBytes(values=math.ceil(weight.numel() / 2), statistics=scales)
        return found

    def prepare(self, model: nn.Module, gradient_checkpointing: bool) -> nn.Module:
        """Prepare a quantized base for training; see `preparation.prepare`."""
        return prepare(model, gradient_checkpointing, "is_loaded_in_4bit")

    def dequantize(self, model: nn.Module) -> nn.Module:
        """Dequantize a model; see `conversion.dequantize`."""
        return dequantize(model, torch.float32)
