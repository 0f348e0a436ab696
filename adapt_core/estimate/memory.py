"""The bytes of a run's tensors, counted on a model without weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from adapt_core.capabilities import StoredBytes
from adapt_core.config import backward_steps
from adapt_core.estimate.optimizers import state_bytes
from adapt_core.plugin.import_strings import is_import_string

if TYPE_CHECKING:
    import torch
    from torch import nn

    from adapt_core.config.core_params.training import TrainingParams


def weight_bytes(model: nn.Module, quantized: Mapping[str, StoredBytes]) -> int:
    """Return bytes of parameters and buffers, each shared tensor once.

    Args:
        model: with the method attached, its tensors on "meta".
        quantized: see `stored`.
    """
    named = [*model.named_parameters(), *model.named_buffers()]
    return sum(stored(name, tensor, quantized).total for name, tensor in named)


def stored(name: str, tensor: torch.Tensor, quantized: Mapping[str, StoredBytes]) -> StoredBytes:
    """Return what a parameter or buffer takes.

    Args:
        name: in the attached model.
        tensor: on "meta".
        quantized: full names (of the plain model) of parameters that will be quantized -> what they take.
    """
    plain = next((given for given in quantized if _same(name, given)), None)
    if plain is not None:
        return quantized[plain]
    if quantized and tensor.is_floating_point():
        return StoredBytes(values=4 * tensor.numel())  # what is not quantized is prepared for training in float32
    return StoredBytes(values=tensor.numel() * tensor.element_size())


def _same(attached: str, plain: str) -> bool:
    """Return whether both names are one parameter's; adapters wrap layers in `base_layer`."""
    bare = attached.replace(".base_layer.", ".")
    return bare == plain or bare.endswith(f".{plain}")


def held_gradients(model: nn.Module) -> int:
    """Return the most bytes of gradients at a time where the optimizer steps inside the backward pass.

    Gradients are taken to come in the order of the backward pass, the last parameter's first.
    """
    held = most = 0
    for parameter in reversed(list(model.parameters())):
        held += parameter.numel() * parameter.element_size() if parameter.requires_grad else 0
        most = max(most, held)
        if held >= backward_steps.HELD_BYTES:
            held = 0
    return most


def training_bytes(model: nn.Module, training: TrainingParams) -> tuple[int, int]:
    """Return bytes of gradients and of optimizer states."""
    from torch import nn

    share = None
    if is_import_string(training.optimizer):
        from adapt_core.nn.named.optimizers import state_share

        options = training.optimizer_options or {}
        share = state_share(training.optimizer, training.lr, training.weight_decay, options)
    embeddings = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    gradients = states = 0
    for parameter in model.parameters():
        if not parameter.requires_grad:
            continue
        size = parameter.numel() * parameter.element_size()
        gradients += size
        if share is not None:
            states += round(share(parameter.dim()) * size)
            continue
        embedding = id(parameter) in embeddings
        states += state_bytes(training.optimizer, parameter.shape, parameter.element_size(), embedding)
    return gradients, states
