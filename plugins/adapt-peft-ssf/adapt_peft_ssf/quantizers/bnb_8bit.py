"""The quantizer bnb_8bit."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from adapt_core.capabilities import StoredBytes

from adapt_peft_ssf.params import Bnb8bitParams
from adapt_peft_ssf.quantizers.conversion import dequantize, quantizable, replace_linears, weight_and_bias
from adapt_peft_ssf.quantizers.preparation import prepare

log = logging.getLogger(__name__)


class Bnb8bit:
    """Linear layers in 8 bits: LLM.int8() (Dettmers et al., 2022, arXiv:2208.07339)."""

    def __init__(self, params: Bnb8bitParams) -> None:
        self.params = params

    def hf_options(self, skip: Sequence[str], device: str) -> Mapping[str, Any]:
        """Return the `quantization_config` of `from_pretrained`, with the head left out, and the model's device."""
        from transformers import BitsAndBytesConfig

        params = self.params
        on_gpu = device.startswith("cuda")
        if params.llm_int8_enable_fp32_cpu_offload and not on_gpu:
            log.warning("llm_int8_enable_fp32_cpu_offload has no effect: the whole model is on the CPU.")
        offload = params.llm_int8_enable_fp32_cpu_offload and on_gpu
        config = BitsAndBytesConfig(
            load_in_8bit=True,
            llm_int8_threshold=float(params.llm_int8_threshold),
            llm_int8_skip_modules=self._skipped(skip),
            llm_int8_enable_fp32_cpu_offload=offload,
            llm_int8_has_fp16_weight=params.llm_int8_has_fp16_weight,
        )
        return {"quantization_config": config, "device_map": "auto" if offload else {"": device}}

    def _skipped(self, skip: Sequence[str]) -> list[str]:
        return list(dict.fromkeys([*skip, *(self.params.llm_int8_skip_modules or ())]))

    def convert(self, model: nn.Module, skip: Sequence[str], device: str) -> nn.Module:
        """Replace the Linear layers of any module in place."""
        import bitsandbytes as bnb

        params = self.params

        def make(plain: nn.Module) -> nn.Module:
            weight, bias = weight_and_bias(plain)
            outputs, inputs = weight.shape
            layer: Any = bnb.nn.Linear8bitLt(
                inputs,
                outputs,
                bias=bias is not None,
                has_fp16_weights=params.llm_int8_has_fp16_weight,
                threshold=params.llm_int8_threshold,
                device="meta",
            )
            layer.weight = bnb.nn.Int8Params(
                weight, requires_grad=False, has_fp16_weights=params.llm_int8_has_fp16_weight
            ).to(device)
            quantized: nn.Module = layer
            return quantized

        replace_linears(model, self._skipped(skip), make, device)
        return model

    def quantized_bytes(self, model: nn.Module, skip: Sequence[str]) -> Mapping[str, StoredBytes]:
        """Return the bytes: one a weight, and a float32 for each output; float16 weights take two."""
        found = {}
        for name in quantizable(model, self._skipped(skip)):
            weight: Any = weight_and_bias(model.get_submodule(name))[0]
            codes = StoredBytes(values=weight.numel(), statistics=4 * weight.shape[0])
            whole = StoredBytes(values=2 * weight.numel())
            found[f"{name}.weight"] = whole if self.params.llm_int8_has_fp16_weight else codes
        return found

    def prepare(self, model: nn.Module, gradient_checkpointing: bool) -> nn.Module:
        """Prepare a quantized base for training; see `preparation.prepare`."""
        return prepare(model, gradient_checkpointing, "is_loaded_in_8bit")

    def dequantize(self, model: nn.Module) -> nn.Module:
        """Dequantize a model; see `conversion.dequantize`."""
        return dequantize(model, torch.float32)
