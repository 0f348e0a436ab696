"""Activations that autograd keeps for the backward pass: traced without computing, or counted in a real one."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from enum import Enum, auto
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    import torch
    from torch import nn

    from adapt_core.config.core_params.training import TrainingParams

log = logging.getLogger(__name__)


class Recomputed(Enum):
    """What is computed again in the backward pass, see GRADIENT_CHECKPOINTING, KEEP_ATTENTION and RECOMPUTE_MLP."""

    NOTHING = auto()
    MLP = auto()
    BLOCKS = auto()
    ALL_BUT_ATTENTION = auto()

    @classmethod
    def of(cls, training: TrainingParams) -> Recomputed:
        """Return what a run with these keys recomputes."""
        if not training.gradient_checkpointing:
            return cls.MLP if training.recompute_mlp else cls.NOTHING
        return cls.ALL_BUT_ATTENTION if training.keep_attention else cls.BLOCKS


@attrs.define
class Kept:
    """The tensors that autograd keeps, each storage once.

    Attributes:
        own: storages of the model's own tensors, which do not count.
        outside: kept throughout; where blocks are recomputed, their inputs.
        largest_block: the most bytes that one recomputed block keeps while its part of the backward pass runs.
    """

    own: set[int]
    outside: dict[int, torch.Tensor] = attrs.field(factory=dict)
    largest_block: int = 0

    @property
    def bytes(self) -> int:
        """The most at one time."""
        return _bytes(self.outside) + self.largest_block

    @contextmanager
    def counting(self, model: nn.Module, recomputed: Recomputed = Recomputed.NOTHING) -> Iterator[None]:
        """Count what the forward passes inside keep.

        Args:
            model: in training mode. Where blocks are recomputed it stays switched to that, and a backward pass of what
                is computed inside takes what was kept: it recomputes nothing. MLPs are those of
                `adapt_core.hf.loop.lean_layers`, whose context is open.
            recomputed: what is counted as under GRADIENT_CHECKPOINTING, by torch's checkpoint function.
        """
        blocks = nullcontext() if recomputed is Recomputed.NOTHING else self._blocks(model, recomputed)
        with self._hooks(self.outside), blocks:
            yield

    def _hooks(self, kept: dict[int, torch.Tensor]) -> AbstractContextManager[Any]:
        import torch

        def pack(tensor: torch.Tensor) -> torch.Tensor:
            storage = _storage(tensor)
            if storage not in self.own:
                kept[storage] = tensor  # held: a storage that is given back could come again for another tensor
            return tensor

        return torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor)

    @contextmanager
    def _block(self, recomputed: Recomputed) -> Iterator[None]:
        from adapt_core.estimate.attention_results import collected_attention

        kept: dict[int, torch.Tensor] = {}
        results: dict[int, torch.Tensor] = {}
        attention = collected_attention(results) if recomputed is Recomputed.ALL_BUT_ATTENTION else nullcontext()
        with self._hooks(kept), attention:
            yield
        self.outside |= results
        again = {storage: tensor for storage, tensor in kept.items() if storage not in results}
        self.largest_block = max(self.largest_block, _bytes(again))

    @contextmanager
    def _blocks(self, model: nn.Module, recomputed: Recomputed) -> Iterator[None]:
        """Inside, torch's checkpoint counts each block. Transformers takes that as an argument, others call torch's."""
        import torch.utils.checkpoint

        original = torch.utils.checkpoint.checkpoint

        def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
            return self._block(recomputed), nullcontext()

        counted: dict[str, Any] = {"use_reentrant": False, "context_fn": contexts}
        enable: Callable[..., None] | None = getattr(model, "activation_checkpointing_enable", None)
        if enable is None and recomputed is Recomputed.ALL_BUT_ATTENTION:
            recomputed = Recomputed.BLOCKS  # others than transformers' know no KEEP_ATTENTION
        if enable is not None and recomputed is not Recomputed.MLP:
            enable(activation_checkpointing_kwargs=counted)
        torch.utils.checkpoint.checkpoint = partial(original, context_fn=counted["context_fn"])
        try:
            yield
        finally:
            torch.utils.checkpoint.checkpoint = original


def activation_bytes(model: nn.Module, batch: Mapping[str, Any], device: str, recomputed: Recomputed) -> int | None:
    """Return bytes that autograd keeps for the backward pass of one batch, traced without computing anything.

    Args:
        model: with the method attached, its tensors on "meta".
        batch: tensors by name.
        device: where the run will train ("cpu", "cuda:0"), which decides what its kernels keep.
        recomputed: in the backward pass.

    Returns:
        an estimate, or None where the model needs values to know its shapes.
    """
    import torch
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.func import functional_call

    model.train()
    try:
        with FakeTensorMode(allow_non_fake_inputs=True):
            own = {
                name: torch.empty_strided(
                    tensor.shape, tensor.stride(), dtype=tensor.dtype, device=device, requires_grad=tensor.requires_grad
                )
                for name, tensor in [*model.named_parameters(), *model.named_buffers()]
            }
            kept = Kept({_storage(tensor) for tensor in own.values()})
            inputs = {name: torch.empty(value.shape, dtype=value.dtype, device=device) for name, value in batch.items()}
            with kept.counting(model, recomputed):
                functional_call(model, own, args=(), kwargs=inputs)
            return kept.bytes
    except (RuntimeError, NotImplementedError, ValueError, TypeError) as error:
        log.info("activations cannot be traced: %s", (str(error) or type(error).__name__).splitlines()[0])
        log.debug("traceback of the trace", exc_info=True)
        return None


def own_storages(model: nn.Module) -> set[int]:
    """Return the storages of a model's parameters and buffers."""
    return {_storage(tensor) for tensor in [*model.parameters(), *model.buffers()]}


def _storage(tensor: torch.Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)


def _bytes(kept: Mapping[int, torch.Tensor]) -> int:
    return sum(tensor.untyped_storage().nbytes() for tensor in kept.values())
