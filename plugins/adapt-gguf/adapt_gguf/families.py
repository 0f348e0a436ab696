"""Families of language models that llama.cpp has an architecture for: their metadata, and how their weights differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from adapt_core.errors import InputError

from adapt_gguf.arrays import Array
from adapt_gguf.files import Field
from adapt_gguf.positions import position_fields

if TYPE_CHECKING:
    from transformers import PretrainedConfig


@attrs.frozen
class Family:
    """What a GGUF file says and stores of a family.

    Attributes:
        architecture: gguf's name ("llama").
        keys: metadata keys without the architecture, to attributes of the config (the first that it has).
        permuted: whether rows of the query and key projections alternate between the halves of a head, as in the
            original Llama; transformers has the halves one after the other.
        norm_offset: what norms' weights have added: 1 where the model computes (1 + weight).
        transposed: parts of names of matrices that transformers stores inputs first (Conv1D).
        window_in_file: whether the metadata can say that attention reaches back so far only.
    """

    architecture: str
    keys: Mapping[str, tuple[str, ...]]
    permuted: bool = False
    norm_offset: float = 0.0
    transposed: tuple[str, ...] = ()
    window_in_file: bool = False


_SIZES = {
    "context_length": ("max_position_embeddings",),
    "embedding_length": ("hidden_size",),
    "block_count": ("num_hidden_layers",),
    "feed_forward_length": ("intermediate_size",),
    "attention.head_count": ("num_attention_heads",),
    "attention.head_count_kv": ("num_key_value_heads", "num_attention_heads"),
    "attention.layer_norm_rms_epsilon": ("rms_norm_eps",),
    "vocab_size": ("vocab_size",),
}
_HEADS = {"attention.key_length": ("head_dim",), "attention.value_length": ("head_dim",)}
_GEMMA = {**_SIZES, **_HEADS, "attention.sliding_window": ("sliding_window",)}
_CAPS = {"attn_logit_softcapping": ("attn_logit_softcapping",), "final_logit_softcapping": ("final_logit_softcapping",)}

FAMILIES: dict[str, Family] = {
    "llama": Family("llama", {**_SIZES, "rope.dimension_count": ("head_dim",)}, permuted=True),
    "mistral": Family("llama", {**_SIZES, "rope.dimension_count": ("head_dim",)}, permuted=True),
    "qwen2": Family("qwen2", _SIZES),
    "qwen3": Family("qwen3", {**_SIZES, **_HEADS}),
    "gemma2": Family("gemma2", {**_GEMMA, **_CAPS}, norm_offset=1.0, window_in_file=True),
    "gemma3_text": Family("gemma3", _GEMMA, norm_offset=1.0, window_in_file=True),
    "gpt2": Family(
        "gpt2",
        {
            "context_length": ("n_positions",),
            "embedding_length": ("n_embd",),
            "block_count": ("n_layer",),
            "feed_forward_length": ("n_inner",),
            "attention.head_count": ("n_head",),
            "attention.layer_norm_epsilon": ("layer_norm_epsilon",),
        },
        transposed=("attn_qkv.weight", "attn_output.weight", "ffn_up.weight", "ffn_down.weight"),
    ),
}
"""Families by `model_type` of a transformers config."""


def family_of(model_type: str) -> Family:
    """Return the family of a model type.

    Raises:
        InputError: there is none; names those that there are.
    """
    family = FAMILIES.get(model_type)
    if family is None:
        known = ", ".join(FAMILIES)
        raise InputError(
            f"GGUF: models of the type {model_type!r} cannot be written. There are: {known}."
            " Export with --save-method save_pretrained and convert with llama.cpp's convert_hf_to_gguf.py."
        )
    return family


def architecture_fields(config: PretrainedConfig) -> dict[str, Field]:
    """Return the fields of a model's sizes, without its name and vocabulary.

    Args:
        config: a transformers config of one of FAMILIES.

    Raises:
        InputError: it computes what the file cannot say.
    """
    family = family_of(config.model_type)
    found: dict[str, Field] = {}
    for key, attributes in family.keys.items():
        values = (getattr(config, name, None) for name in attributes)
        value = next((value for value in values if value is not None), None)
        value = _default(key, config) if value is None else value
        if value is not None:
            found[f"{family.architecture}.{key}"] = _number(value)
    _check_attention(config)
    window = _window(config)
    if window is not None and not family.window_in_file:
        # Within the window attention is the whole one, so a shorter context is exact.
        key = f"{family.architecture}.context_length"
        found[key] = _number(min(window, config.max_position_embeddings))
    return {**found, **position_fields(config, family.architecture)}


def _check_attention(config: PretrainedConfig) -> None:
    """Check what Gemma divides attention by: no file says it, and llama.cpp goes by the size of the heads.

    Raises:
        InputError: the model divides by another number.
    """
    given = getattr(config, "query_pre_attn_scalar", None)
    if given is None:
        return
    largest = config.num_hidden_layers in (46, 62)  # the layers of the models of 27 B weights
    wanted = config.hidden_size // config.num_attention_heads if largest else config.head_dim
    if given != wanted:
        raise InputError(
            f"GGUF: this model divides attention by the root of {given:g} (query_pre_attn_scalar), which no file says;"
            f" llama.cpp takes {wanted} for it. Export with --save-method save_pretrained."
        )


def _default(key: str, config: PretrainedConfig) -> Any:
    """Return what a config leaves to the model's code."""
    if key == "feed_forward_length":
        return 4 * config.n_embd
    if key == "rope.dimension_count":
        return config.hidden_size // config.num_attention_heads
    return None


def _number(value: float) -> Field:
    return Field(value, "FLOAT32") if isinstance(value, float) else Field(int(value), "UINT32")


def _window(config: PretrainedConfig) -> int | None:
    if getattr(config, "use_sliding_window", True) is False:
        return None
    window = getattr(config, "sliding_window", None)
    return int(window) if window else None


def to_file(family: Family, tensor: str, values: Array, heads: tuple[int, int]) -> Array:
    """Return a tensor's values as the file has them.

    Args:
        family: the model's.
        tensor: its name in the file.
        values: float32, of transformers' parameter.
        heads: of queries and of keys.
    """
    if family.norm_offset and tensor.endswith("norm.weight"):
        offset: Array = np.asarray(family.norm_offset, values.dtype)
        return values + offset
    if family.transposed and tensor.endswith(family.transposed):
        return values.T
    return permuted_rows(tensor, values, heads) if family.permuted else values


def permuted_rows(tensor: str, values: Array, heads: tuple[int, int]) -> Array:
    """Return the rows of a query or key projection in the order of the file; others unchanged."""
    if ".attn_q." in tensor:
        return _to_pairs(values, heads[0])
    if ".attn_k." in tensor:
        return _to_pairs(values, heads[1])
    return values


def _to_pairs(values: Array, heads: int) -> Array:
    """Return rows whose halves of each head alternate.

    As convert_hf_to_gguf.py: https://github.com/ggml-org/llama.cpp (LlamaModel.permute).
    """
    halves = values.reshape(heads, 2, values.shape[0] // heads // 2, *values.shape[1:])
    return halves.swapaxes(1, 2).reshape(values.shape)
