"""Learning rates by depth: HEAD_LR for the head, LAYER_LR_DECAY for the layers below it.

The decay by layer is that of Clark et al. (2020, arXiv:2003.10555) and of fine-tuned vision transformers (Bao et al.,
2021, arXiv:2106.08254): what lies d blocks below the head trains with LR times decay to the power of d.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from adapt_core.errors import InputError

if TYPE_CHECKING:
    from torch import nn, optim

    from adapt_core.config.core_params.training import TrainingParams

Factors = dict[str, float]
"""Name of a parameter of the attached model -> what LR is multiplied by; parameters with 1 are left out."""


def rate_factors(
    model: nn.Module, blocks: Sequence[nn.Module], head: Collection[str], training: TrainingParams
) -> Factors:
    """Return the factors of a model's trained parameters.

    Args:
        model: with its method attached.
        blocks: of the base model, in the order of the forward (`adapt_core.nn.structure.blocks`); an adapter's
            parameters are inside them.
        head: names of the parameters that train as the head.
        training: LR, HEAD_LR, LAYER_LR_DECAY.

    Raises:
        InputError: HEAD_LR is given and no head trains, or LAYER_LR_DECAY and the model has no blocks.
    """
    if training.head_lr is not None and not head:
        raise InputError("HEAD_LR: no head trains in this run. Set LAST_LAYER_TUNING: true, or leave HEAD_LR out.")
    decay = 1.0 if training.layer_lr_decay is None else training.layer_lr_decay
    if decay != 1 and not blocks:
        raise InputError(
            f"LAYER_LR_DECAY: {type(model).__name__} has no blocks that repeat. Leave it out, or set HEAD_LR alone."
        )
    depths = {id(parameter): at for at, block in enumerate(blocks, 1) for parameter in block.parameters()}
    factors: Factors = {}
    at = 0
    for name, parameter in model.named_parameters():
        at = depths.get(id(parameter), len(blocks) if at == len(blocks) else at)
        if not parameter.requires_grad:
            continue
        if name in head:
            factor = 1.0 if training.head_lr is None else training.head_lr / training.lr
        else:
            factor = decay ** (len(blocks) + 1 - at)
        if factor != 1:
            factors[name] = factor
    return factors


def split_groups(optimizer: optim.Optimizer, named: Sequence[tuple[str, nn.Parameter]], factors: Factors) -> None:
    """Give the parameters of a fresh optimizer their own learning rates, each rate in a group of its own.

    The group of LR itself comes first, for whoever looks at the rate of the first.

    Args:
        optimizer: without state.
        named: the parameters of the model, by the names that `factors` has.
        factors: see above.
    """
    by_id = {id(parameter): factors.get(name, 1.0) for name, parameter in named}
    groups = []
    for group in optimizer.param_groups:
        members: dict[float, list[nn.Parameter]] = {}
        for parameter in group["params"]:
            members.setdefault(by_id.get(id(parameter), 1.0), []).append(parameter)
        groups += [
            (factor, {**group, "params": parameters, "lr": group["lr"] * factor})
            for factor, parameters in members.items()
        ]
    groups.sort(key=lambda item: -item[0])
    groups.sort(key=lambda item: item[0] != 1)
    optimizer.param_groups[:] = [group for _, group in groups]
