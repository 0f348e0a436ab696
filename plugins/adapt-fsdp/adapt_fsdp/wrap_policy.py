"""The layers that FSDP gathers one at a time, and its keys as training arguments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from adapt_core.errors import InputError

from adapt_fsdp.params import FsdpParams

if TYPE_CHECKING:
    from torch import nn


def layers_to_wrap(model: nn.Module, wanted: Sequence[str] | None) -> list[str]:
    """Return the classes of the layers that are gathered one at a time.

    Args:
        model: the attached model.
        wanted: class names, or None for the model's own.

    Raises:
        InputError: the model has no layer of a class that is wanted.
    """
    if not wanted:
        return layer_classes(model)
    known = {type(module).__name__ for module in model.modules()}
    unknown = [name for name in wanted if name not in known]
    if unknown:
        own = ", ".join(layer_classes(model)) or "not known"
        raise InputError(
            f"fsdp_transformer_layer_cls_to_wrap: the model has no layer of class {', '.join(unknown)}; "
            f"its own are {own}."
            " Leave the key out."
        )
    return list(wanted)


def layer_classes(model: nn.Module) -> list[str]:
    """Return the classes of a Hugging Face model's layers, as the model names them.

    Those that hold the input embeddings are left out (BERT names one): accelerate shards the embeddings separately.
    """
    named = {name for module in model.modules() for name in getattr(module, "_no_split_modules", None) or ()}
    embeddings: nn.Module | None = getattr(model, "get_input_embeddings", lambda: None)()
    holders = {
        type(module).__name__
        for module in model.modules()
        if embeddings is not None and any(part is embeddings for part in module.modules())
    }
    return sorted(named - holders)


def sharding_arguments(params: FsdpParams, gradient_checkpointing: bool, *, on_gpus: bool) -> dict[str, object]:
    """Return the keys as transformers' training arguments `fsdp` and `fsdp_config`, by its names for version 2."""
    config: dict[str, object] = {
        "version": params.fsdp_version,
        "auto_wrap_policy": params.fsdp_auto_wrap_policy,
        "min_num_params": params.fsdp_min_num_params,
        "reshard_after_forward": params.fsdp_sharding_strategy == "FULL_SHARD",
        "state_dict_type": params.fsdp_state_dict_type,
        "cpu_ram_efficient_loading": params.fsdp_cpu_ram_efficient_loading and on_gpus,
        "cpu_offload": params.fsdp_offload_params,
        "activation_checkpointing": params.fsdp_activation_checkpointing or gradient_checkpointing,
    }
    if params.fsdp_transformer_layer_cls_to_wrap:
        config["transformer_layer_cls_to_wrap"] = list(params.fsdp_transformer_layer_cls_to_wrap)
    arguments: dict[str, object] = {"fsdp": True, "fsdp_config": config, "activation_checkpointing": False}
    if not on_gpus:
        arguments["accelerator_config"] = {"use_configured_state": True}
    return arguments
