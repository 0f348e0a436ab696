"""OPTIMIZER: package.module:Class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import torch
from torch import nn

from adapt_core.nn.named.code import NamedCodeError, fault_of, load_named, require_options, takes

_OWN = {"params": None, "lr": "LR", "weight_decay": "WEIGHT_DECAY"}
_TRIES = 3
_TOY_RATE, _TOY_WIDTH = 1e-3, 64


def named_optimizer(
    dotted: str, lr: float, weight_decay: float, options: Mapping[str, Any]
) -> tuple[type[torch.optim.Optimizer], dict[str, Any]]:
    """Return the class of an optimizer, and its arguments beside the parameters.

    LR and WEIGHT_DECAY are those of the config, and everything else is the optimizer's own default or in its options.

    Args:
        dotted: OPTIMIZER.
        lr: LR.
        weight_decay: WEIGHT_DECAY.
        options: OPTIMIZER_OPTIONS.

    Raises:
        NamedCodeError: it is no optimizer of torch's kind, or does not take what it is given.
    """
    found = load_named(dotted)
    if not (isinstance(found, type) and issubclass(found, torch.optim.Optimizer)):
        raise NamedCodeError(f"{dotted} is not a class of optimizers (torch.optim.Optimizer). Name another.")
    for name in options:
        if name in _OWN:
            key = _OWN[name]
            raise NamedCodeError(f"OPTIMIZER_OPTIONS has {name}: {f'set {key}' if key else 'adapt gives it'}.")
    arguments: dict[str, Any] = {"lr": lr, **options}
    if takes(found, "weight_decay"):
        arguments["weight_decay"] = weight_decay
    elif weight_decay:
        raise NamedCodeError(f"{dotted} takes no weight_decay. Set WEIGHT_DECAY: 0.")
    require_options(found, arguments, [])
    return found, arguments


def require_steps(dotted: str, lr: float, weight_decay: float, options: Mapping[str, Any]) -> None:
    """Check that an optimizer steps: it lowers nothing yet, but must move a matrix or a vector, to finite values.

    The arguments are those of `named_optimizer`.

    Raises:
        NamedCodeError: it does not, or `named_optimizer` raises it.
    """
    made, arguments = named_optimizer(dotted, lr, weight_decay, options)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        toy = [nn.Parameter(torch.randn(8, 4)), nn.Parameter(torch.randn(8))]
        first = [one.detach().clone() for one in toy]
        # Groups as training makes them: matrices that decay, and vectors that do not.
        groups = [{"params": toy[:1], "weight_decay": weight_decay}, {"params": toy[1:], "weight_decay": 0.0}]
        try:
            optimizer = made(groups, **{**arguments, "lr": lr or _TOY_RATE})
            for _ in range(_TRIES):
                optimizer.zero_grad()
                loss = sum((one**2).sum() for one in toy)
                assert isinstance(loss, torch.Tensor)
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
        except Exception as error:  # foreign code: anything can go wrong in it
            raise NamedCodeError(
                f"{dotted} cannot step: {fault_of(error)}. Name another, or change its options."
            ) from (error)
        moved = any(not torch.equal(one, before) for one, before in zip(toy, first, strict=True))
        finite = all(bool(torch.isfinite(one).all()) for one in toy)
    if not (moved and finite):
        what = "makes parameters that are not finite" if moved else "does not move any parameter"
        raise NamedCodeError(f"{dotted} {what} in {_TRIES} steps. Change LR or its options.")


def state_share(dotted: str, lr: float, weight_decay: float, options: Mapping[str, Any]) -> Callable[[int], float]:
    """Return what an optimizer keeps of a parameter, by its dimensions, in bytes for each byte of it.

    Measured on small parameters after a step: states that grow with rows and columns, not with elements, are counted
    somewhat too high. The arguments are those of `named_optimizer`.

    Raises:
        NamedCodeError: as `named_optimizer` does.
    """
    made, arguments = named_optimizer(dotted, lr, weight_decay, options)

    @cache
    def share(dimensions: int) -> float:
        with torch.random.fork_rng(devices=[]):
            toy = nn.Parameter(torch.randn([_TOY_WIDTH] * min(dimensions, 2) + [1] * max(dimensions - 2, 0)))
            optimizer = made([toy], **{**arguments, "lr": lr or _TOY_RATE})
            toy.square().sum().backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        kept = {id(value): value.nbytes for value in optimizer.state[toy].values() if isinstance(value, torch.Tensor)}
        return sum(kept.values()) / toy.nbytes

    return share
