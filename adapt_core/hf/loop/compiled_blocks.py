"""COMPILE: the repeated blocks of a model, each compiled by torch, where they compute the same.

A block is compiled once and serves all of its kind, so that compiling takes the time of one layer and not of the model
("regional compilation" in torch's tutorials). Names, checkpoints and evaluations stay as they are: blocks are
compiled within training steps alone.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from adapt_core.nn.precision import is_half
from adapt_core.nn.random_state import untouched_random_state

log = logging.getLogger(__name__)

_OPTIONS: dict[str, str | int | bool | Callable[..., Any]] = {"fallback_random": True}
"""Dropout draws the numbers that it draws without compiling."""

TOLERANCE = 1e-5
ROUNDED_TOLERANCE = 1e-2
"""The greatest relative difference of the loss and of the gradients' norm: in float32, and in half precision."""


def repeated_blocks(model: nn.Module) -> list[nn.Module]:
    """Return the blocks of a model that are repeated: members of one class in a list, the outermost lists alone."""
    found: list[nn.Module] = []
    for child in model.children():
        members = list(child.children())
        alike = len({type(member) for member in members}) == 1 < len(members)
        if isinstance(child, nn.ModuleList | nn.Sequential) and alike and any(members[0].children()):
            found += members
        else:
            found += repeated_blocks(child)
    return found


class CompiledBlocks:
    """Blocks that are called compiled inside `used()`, once a trial has shown that this changes nothing.

    Args:
        model: the attached model.
        mixed: whether it trains in mixed precision.
    """

    def __init__(self, model: nn.Module, *, mixed: bool) -> None:
        rounded = mixed or any(is_half(parameter.dtype) for parameter in model.parameters())
        self._model = model
        self._blocks = repeated_blocks(model)
        self._tolerance = ROUNDED_TOLERANCE if rounded else TOLERANCE
        self._calls = [torch.compile(block._call_impl, options=_OPTIONS) for block in self._blocks]
        self._tried = False

    def try_once(self, loss: Callable[[], torch.Tensor]) -> str | None:
        """Compare a step with and without compiled blocks, the first time; return why they are not used, or None.

        Args:
            loss: returns the loss of a batch, with its graph.
        """
        if self._tried:
            return None
        self._tried = True
        return self._fault(loss)

    def _fault(self, loss: Callable[[], torch.Tensor]) -> str | None:
        if not self._blocks:
            return "the model has no repeated blocks"
        plain = self._outcome(loss)
        try:
            with self.used():
                compiled = self._outcome(loss)
        except Exception as error:
            # Whatever a compiler raises, the run goes on without it.
            log.debug("traceback of the compilation", exc_info=True)
            return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        differences = [abs(a - b) / max(abs(a), 1e-12) for a, b in zip(plain, compiled, strict=True)]
        if not all(math.isfinite(value) for value in compiled) or max(differences) > self._tolerance:
            return f"the loss and the norm of its gradients differ by {max(differences):.1e}, relatively"
        return None

    def _outcome(self, loss: Callable[[], torch.Tensor]) -> tuple[float, float]:
        """Return the loss of a batch and the norm of its gradients; leave buffers and random states as they were."""
        trained = [parameter for parameter in self._model.parameters() if parameter.requires_grad]
        held = [(buffer, buffer.clone()) for buffer in self._model.buffers()]
        with untouched_random_state():
            value = loss()
            found = torch.autograd.grad(value, trained, allow_unused=True)
        with torch.no_grad():
            for buffer, before in held:
                buffer.copy_(before)
        norms = [torch.linalg.vector_norm(each.float()) for each in found if each is not None]
        return float(value.detach()), float(torch.linalg.vector_norm(torch.stack(norms)))

    @contextmanager
    def used(self) -> Iterator[None]:
        """Within the context, the blocks are called compiled."""
        for block, call in zip(self._blocks, self._calls, strict=True):
            block._compiled_call_impl = call
        try:
            yield
        finally:
            for block in self._blocks:
                block._compiled_call_impl = None
