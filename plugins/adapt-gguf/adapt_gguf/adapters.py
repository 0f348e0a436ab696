"""A LoRA of peft's as a GGUF adapter, which llama.cpp and Ollama add to a model when they load it.

Format: `general.type` adapter, `adapter.type` lora, and a pair of matrices for each adapted one, as llama.cpp's
convert_lora_to_gguf.py writes them. llama.cpp multiplies B times A by alpha / (rows of A).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from adapt_core.errors import InputError, first_of
from adapt_core.report.serving import why_no_plain_lora

from adapt_gguf.arrays import Floats
from adapt_gguf.families import family_of, permuted_rows
from adapt_gguf.files import Encoded, Field, write_gguf
from adapt_gguf.names import file_names

if TYPE_CHECKING:
    from transformers import PretrainedConfig

_PART = re.compile(r"base_model\.model\.(?P<module>.+)\.lora_(?P<side>[AB])\.weight")
_CONFIG = "adapter_config.json"
_WEIGHTS = "adapter_model.safetensors"


@attrs.frozen
class Pair:
    """The update of one matrix: B times A times the scale.

    Attributes:
        a: rank x inputs.
        b: outputs x rank.
        scale: what multiplies them.
    """

    a: Floats
    b: Floats
    scale: float


def read_pairs(adapter: Path) -> dict[str, Pair]:
    """Return the updates of an adapter by the names of their modules.

    Raises:
        InputError: it is no plain LoRA.
    """
    config = json.loads((adapter / _CONFIG).read_text(encoding="utf-8"))
    reason = why_no_plain_lora(config)
    if reason is not None:
        raise InputError(
            f"GGUF: the adapter in {adapter} cannot be a GGUF adapter: {reason}. Export the merged model (gguf)"
            " instead, or first --to lora."
        )
    sides: dict[str, dict[str, Floats]] = {}
    other = []
    for name, values in _float32(adapter / _WEIGHTS).items():
        match = _PART.fullmatch(name)
        if match is None:
            other.append(name)
            continue
        sides.setdefault(match["module"], {})[match["side"]] = values
    if other:
        raise InputError(
            f"GGUF: the adapter in {adapter} has more than matrix pairs: {first_of(sorted(other), 3)}."
            " Export the merged model (gguf) instead."
        )
    return {
        module: Pair(both["A"], both["B"], _scale(config, module, both["A"].shape[0])) for module, both in sides.items()
    }


def write_adapter(adapter: Path, config: PretrainedConfig, path: Path) -> int:
    """Write an adapter as a GGUF file, in F32.

    Args:
        adapter: a folder of peft's.
        config: the base model's transformers config.
        path: the file to make.

    Returns:
        how many matrices it adapts.

    Raises:
        InputError: it is no plain LoRA, or the base has no GGUF architecture.
    """
    family = family_of(config.model_type)
    pairs = read_pairs(adapter)
    if not pairs:
        raise InputError(f"GGUF: the adapter in {adapter} adapts no layer. Train one with method LoRA.")
    names = file_names((f"{module}.weight" for module in pairs), config)
    embedded = [module for module in pairs if names[f"{module}.weight"] == "token_embd.weight"]
    if embedded:
        raise InputError(f"GGUF: a LoRA of the embeddings ({embedded[0]}) cannot be written. Export gguf instead.")
    heads = (config.num_attention_heads, getattr(config, "num_key_value_heads", None) or config.num_attention_heads)
    rank = next(iter(pairs.values())).a.shape[0]
    # One alpha for all: that of the first matrix. Others of another scale carry the rest in B.
    alpha = next(iter(pairs.values())).scale * rank
    tensors: dict[str, Encoded] = {}
    for module, pair in sorted(pairs.items(), key=lambda item: names[f"{item[0]}.weight"]):
        name = names[f"{module}.weight"]
        b = permuted_rows(name, pair.b, heads) if family.permuted else pair.b
        b = b * np.float32(pair.scale * pair.a.shape[0] / alpha)
        for suffix, values in (("lora_a", pair.a), ("lora_b", b)):
            data = np.ascontiguousarray(values, dtype=np.float32)
            tensors[f"{name}.{suffix}"] = Encoded("F32", data.shape, partial(np.asarray, data))
    metadata = {
        "general.architecture": Field(family.architecture, "STRING"),
        "general.type": Field("adapter", "STRING"),
        "general.file_type": Field(0, "UINT32"),
        "adapter.type": Field("lora", "STRING"),
        "adapter.lora.alpha": Field(float(alpha), "FLOAT32"),
    }
    write_gguf(path, family.architecture, metadata, tensors)
    return len(pairs)


def _float32(path: Path) -> dict[str, Floats]:
    """Return the tensors of a safetensors file; numpy has no bfloat16, so such files are read by torch."""
    from safetensors import numpy as in_numpy

    try:
        return {name: np.asarray(values, np.float32) for name, values in in_numpy.load_file(path).items()}
    except (TypeError, KeyError):
        from safetensors import torch as in_torch

        return {name: values.float().numpy() for name, values in in_torch.load_file(path).items()}


def _scale(config: Mapping[str, Any], module: str, rank: int) -> float:
    """Return alpha / r (or alpha / sqrt(r)) of a module, by peft's patterns."""
    alpha = float(_of_pattern(config.get("alpha_pattern") or {}, module, config["lora_alpha"]))
    return alpha / (rank**0.5 if config.get("use_rslora") else rank)


def _of_pattern(patterns: Mapping[str, Any], module: str, default: Any) -> Any:
    """Return the value of the first pattern that a module's name ends with, as peft matches them."""
    for pattern, value in patterns.items():
        if re.fullmatch(rf"(.*\.)?({pattern})", module):
            return value
    return default
