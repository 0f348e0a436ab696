"""Rotary positions in a GGUF file: their base, and how they are scaled beyond the context of pretraining.

Linear scaling and YaRN (Peng et al., 2023) are metadata; the frequencies of Llama 3 are a tensor of factors, which
llama.cpp divides by (`rope_freqs.weight`, as convert_hf_to_gguf.py writes it).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from adapt_core.errors import InputError

from adapt_gguf.arrays import Floats
from adapt_gguf.files import Field

if TYPE_CHECKING:
    from transformers import PretrainedConfig

FREQUENCIES = "rope_freqs.weight"
_WRITABLE = {"llama": ("llama3", "linear", "yarn"), "qwen2": ("linear", "yarn"), "qwen3": ("linear", "yarn")}
"""Scalings by architecture; gemma3's are those of its layers that see everything."""

_BETAS = {"beta_fast": 32, "beta_slow": 1}
_LINEAR = {"gemma3": ("linear",)}


def rope_of(config: PretrainedConfig) -> Mapping[str, Any]:
    """Return the rotary parameters that a file speaks of; empty where a config has none.

    Gemma 3 has a set for each kind of layer; llama.cpp's architecture has those of its local layers built in.
    """
    ropes: Mapping[str, Any] = getattr(config, "rope_parameters", None) or {}
    found: Mapping[str, Any] = ropes.get("full_attention", ropes)
    return found


def scaling_of(config: PretrainedConfig) -> str | None:
    """Return the kind of scaling ("llama3", "linear", "yarn", ...); None for plain frequencies."""
    rope = rope_of(config)
    kind = str(rope.get("rope_type") or rope.get("type") or "default")
    return None if kind == "default" else kind


def check_positions(config: PretrainedConfig, architecture: str) -> None:
    """Check that a file of an architecture can say how positions are scaled.

    Raises:
        InputError: it cannot.
    """
    kind = scaling_of(config)
    known = {**_WRITABLE, **_LINEAR}.get(architecture, ())
    rope = rope_of(config)
    odd = [name for name in ("mscale", "mscale_all_dim") if rope.get(name)]
    # llama.cpp reads the two of YaRN for a few other architectures alone.
    odd += [f"{name}: {rope[name]:g}" for name, usual in _BETAS.items() if rope.get(name) not in (None, usual)]
    if rope.get("truncate") is False:
        odd.append("truncate: false")
    if kind is not None and (kind not in known or odd):
        named = ", ".join([kind, *odd])
        there = f"there are: {', '.join(known)}" if known else "none can be written"
        raise InputError(
            f"GGUF: this model scales its rotary positions ({named}), which a file of the architecture {architecture}"
            f" cannot say ({there}). Use the model's own GGUF file as MODEL_PATH: its metadata goes back as it was."
        )


def position_fields(config: PretrainedConfig, architecture: str) -> dict[str, Field]:
    """Return the fields of rotary positions; none for a model without them.

    Raises:
        InputError: a file cannot say how they are scaled.
    """
    check_positions(config, architecture)
    rope = rope_of(config)
    theta = rope.get("rope_theta") or getattr(config, "rope_theta", None)
    found: dict[str, Any] = {} if theta is None else {"freq_base": float(theta)}
    kind = scaling_of(config)
    if kind in ("linear", "yarn"):
        found |= {"scaling.type": kind, "scaling.factor": float(rope["factor"])}
    if kind == "yarn":
        found |= _yarn(config, rope)
    return {f"{architecture}.rope.{name}": _field(value) for name, value in found.items()}


def _yarn(config: PretrainedConfig, rope: Mapping[str, Any]) -> dict[str, Any]:
    original = rope.get("original_max_position_embeddings") or config.max_position_embeddings
    found: dict[str, Any] = {"scaling.original_context_length": int(original)}
    # What readers make of the factor themselves is left out; the file has what a config multiplies it by.
    _, attention = _frequencies(config, "yarn")
    found["scaling.attn_factor"] = attention / (0.1 * math.log(rope["factor"]) + 1) if rope["factor"] > 1 else attention
    return found


def frequency_factors(config: PretrainedConfig) -> Floats | None:
    """Return what the frequencies of Llama 3 are divided by, float32, one for each pair; None for other models."""
    if scaling_of(config) != "llama3":
        return None
    scaled, _ = _frequencies(config, "llama3")
    plain = float(rope_of(config)["rope_theta"]) ** -(np.arange(len(scaled)) / len(scaled))
    return (plain / scaled).astype(np.float32)


def _frequencies(config: PretrainedConfig, kind: str) -> tuple[Floats, float]:
    """Return transformers' own frequencies, and what it multiplies attention by."""
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    found, attention = ROPE_INIT_FUNCTIONS[kind](config, "cpu")
    return found.double().numpy(), float(attention)


def _field(value: str | float) -> Field:
    if isinstance(value, str):
        return Field(value, "STRING")
    return Field(value, "FLOAT32") if isinstance(value, float) else Field(value, "UINT32")
