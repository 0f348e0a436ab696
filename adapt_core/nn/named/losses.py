"""LOSS: package.module:Name, a function or a module of (logits, targets)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import nn

from adapt_core.nn.named.code import NamedCodeError, fault_of, load_named, require_options

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

_ROWS = 4


def named_loss(dotted: str, options: Mapping[str, Any]) -> Loss:
    """Return the loss of a dotted name: a module made with the options, or a function called with them.

    Args:
        dotted: LOSS.
        options: LOSS_OPTIONS; a list of numbers is a tensor where a module takes one (`weight`).

    Raises:
        NamedCodeError: it is no loss, does not take the options, or has parameters, which no optimizer would train.
    """
    found = load_named(dotted)
    given = {name: torch.tensor(value) if _is_numbers(value) else value for name, value in options.items()}
    if isinstance(found, type):
        if not issubclass(found, nn.Module):
            raise NamedCodeError(f"{dotted} is neither a function nor a torch.nn.Module. Name another.")
        require_options(found, given)
        try:
            module = found(**given)
        except Exception as error:  # foreign code: anything can go wrong in it
            raise NamedCodeError(f"{dotted} cannot be made: {fault_of(error)}. Change LOSS_OPTIONS.") from error
        if any(True for _ in module.parameters()):
            raise NamedCodeError(f"{dotted} has parameters of its own, which nothing trains. Name another.")

        def of_module(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
            loss: torch.Tensor = module.to(logits.device)(logits, targets)
            return loss

        return of_module
    if not callable(found):
        raise NamedCodeError(f"{dotted} is neither a function nor a torch.nn.Module. Name another.")
    require_options(found, given, None, None)
    return partial(found, **given)


def require_loss(dotted: str, loss: Loss, outputs: int, targets: torch.Tensor) -> None:
    """Check that a loss makes one finite number, with gradients, of logits and targets.

    Args:
        dotted: LOSS, for messages.
        loss: from `named_loss`.
        outputs: of the model.
        targets: of a few rows.

    Raises:
        NamedCodeError: it does not.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        logits = torch.randn(len(targets), outputs).requires_grad_()
        told = (
            f"(logits of {len(targets)} x {outputs}, {targets.dtype} targets of {' x '.join(map(str, targets.shape))})"
        )
        try:
            value = loss(logits, targets)
        except Exception as error:  # foreign code: anything can go wrong in it
            raise NamedCodeError(f"{dotted} fails on {told}: {fault_of(error)}. Change LOSS_OPTIONS.") from error
        if not isinstance(value, torch.Tensor) or value.numel() != 1 or value.dim():
            shape = "x".join(map(str, value.shape)) if isinstance(value, torch.Tensor) else type(value).__name__
            raise NamedCodeError(
                f"{dotted} makes {shape} of {told}, not one number. Set LOSS_OPTIONS: {{reduction: mean}}, where it "
                "takes that."
            )
        if not torch.isfinite(value) or value.grad_fn is None:
            raise NamedCodeError(f"{dotted} makes no finite number with gradients of {told}. Name another.")


def toy_targets(kind: str, outputs: int, *, shares: bool = False) -> torch.Tensor:
    """Return targets as a problem of a kind has them: ids, or floats (rows, outputs)."""
    ids = torch.arange(_ROWS) % outputs
    if kind == "single_label" and not shares:
        return ids
    return nn.functional.one_hot(ids, outputs).float()


def _is_numbers(value: object) -> bool:
    return isinstance(value, (list, tuple)) and bool(value) and all(isinstance(one, (int, float)) for one in value)
