"""Embeddings that several modules of a model hold, as the encoder and decoder of a T5 do."""

from __future__ import annotations

import torch
from torch import nn

from adapt_core.errors import InputError


def share_one_module(model: nn.Module) -> None:
    """Replace modules that hold the weight of the input embeddings by the input embeddings.

    FSDP shards the weight in one module. Another module, in another group of layers, would keep the complete weight.

    Raises:
        InputError: such a module computes something else with the weight.
    """
    embeddings: nn.Embedding | None = getattr(model, "get_input_embeddings", lambda: None)()
    if embeddings is None:
        return
    copies = [
        (parent, name, child)
        for parent in model.modules()
        for name, child in parent.named_children()
        if child is not embeddings and isinstance(child, nn.Embedding) and child.weight is embeddings.weight
    ]
    for parent, name, child in copies:
        if not _alike(child, embeddings):
            raise InputError(
                f"FSDP: the model's {name} ({type(child).__name__}) and its input embeddings "
                f"({type(embeddings).__name__}) share one weight and use it differently. Train under DDP: true."
            )
        setattr(parent, name, embeddings)


def _alike(one: nn.Module, other: nn.Module) -> bool:
    buffers = [dict(module.named_buffers()) for module in (one, other)]
    return (
        type(one) is type(other)
        and _settings(one) == _settings(other)
        and buffers[0].keys() == buffers[1].keys()
        and all(torch.equal(buffers[0][name], buffers[1][name]) for name in buffers[0])
    )


def _settings(module: nn.Module) -> dict[str, object]:
    """Plain values among a module's attributes: sizes, the padding index, a scale."""
    plain = {name: value for name, value in vars(module).items() if isinstance(value, (bool, int, float, str))}
    return {name: value for name, value in plain.items() if not name.startswith("_") and name != "training"}
