"""Freezing what must not train, and keeping the statistics of frozen normalisation layers still."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn
from torch.utils.hooks import RemovableHandle

from adapt_core.nn.structure import blocks, has_parameters


def freeze_except(model: nn.Module, trains: Callable[[str], bool]) -> None:
    """Leave only the parameters that `trains` names trainable."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(trains(name) and parameter.dtype.is_floating_point)


def _stay_in_evaluation(module: nn.Module, _inputs: tuple[object, ...]) -> None:
    if module.training:
        module.eval()


def hold_frozen(model: nn.Module) -> list[RemovableHandle]:
    """Keep the modules without trainable parameters in evaluation mode, however the loop sets the model.

    So are modules without parameters (dropout) between them, by the order of definition; those behind the last are
    the head's.

    Returns:
        handles to remove once training is over.
    """
    held: list[nn.Module] = []
    between: list[nn.Module] = []
    reached = False

    def visit(module: nn.Module) -> None:
        nonlocal reached
        if not has_parameters(module):
            between.append(module)
        elif any(parameter.requires_grad for parameter in module.parameters()):
            reached = reached or any(parameter.requires_grad for parameter in module.parameters(recurse=False))
            for child in module.children():
                visit(child)
        elif isinstance(module, (nn.ModuleList, nn.ModuleDict)):  # which are not called themselves
            for child in module.children():
                visit(child)
        else:
            held.extend([module] if reached else [*between, module])
            between.clear()

    visit(model)
    return [module.register_forward_pre_hook(_stay_in_evaluation) for module in held]


def hold_blocks_before(model: nn.Module, first: nn.Module) -> list[RemovableHandle]:
    """Keep what comes before a module in evaluation mode, however the loop sets the model, if whole blocks do.

    By the order of definition. Modules without parameters (dropout) behind the last of it are the module's own.

    Args:
        model: the attached model.
        first: the first module in it that trains.

    Returns:
        handles to remove once training is over; none where the first block is not frozen as a whole.
    """
    order = list(model.modules())
    repeated = [model.get_submodule(name) for name in blocks(model)]
    if not repeated or first in repeated[0].modules() or order.index(first) < order.index(repeated[0]):
        return []
    held: list[nn.Module] = []
    between: list[nn.Module] = []

    def reaches(module: nn.Module) -> bool:
        if module is first:
            return True
        if not has_parameters(module):
            between.append(module)
        elif first in module.modules() or isinstance(module, (nn.ModuleList, nn.ModuleDict)):
            return any(reaches(child) for child in module.children())
        else:
            held.extend([*between, module])
            between.clear()
        return False

    reaches(model)
    return [module.register_forward_pre_hook(_stay_in_evaluation) for module in held]


def hold_batch_norms(model: nn.Module) -> list[RemovableHandle]:
    """Keep BatchNorm layers that do not train in full in evaluation mode, however the loop sets the model.

    `requires_grad=False` alone does not: running statistics would go on moving with every batch, and an adapter's file
    has no place for them. The same goes for a layer of which the bias alone trains.

    Returns:
        handles to remove once training is over.
    """
    return [
        module.register_forward_pre_hook(_stay_in_evaluation)
        for module in model.modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm)
        and not (module.affine and all(parameter.requires_grad for parameter in module.parameters()))
    ]
