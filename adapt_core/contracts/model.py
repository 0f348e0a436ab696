"""What makes a base model ready: quantizers, and methods, which decide what trains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from adapt_core.config.plan import ParamsT

if TYPE_CHECKING:
    from torch import nn


@attrs.frozen(kw_only=True)
class LoadedModel:
    """A base model in memory.

    Attributes:
        model: the module, in training precision, quantized where that was asked for.
        new_parameters: full names of parameters that the checkpoint did not hold (a fresh classifier).
        dtype: the name of the weights' data type ("float32").
        new_rows: full name of a module whose weight has a row for each token -> the rows that were added to it.
    """

    model: nn.Module
    new_parameters: frozenset[str] = frozenset()
    dtype: str = "float32"
    new_rows: Mapping[str, tuple[int, ...]] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class AttachContext:
    """The base model's facts that a method attaches by.

    Attributes:
        head: full names of the head's modules, as the task found them.
        new_parameters: full names of parameters that the checkpoint did not hold; they train under any method.
        train_head: whether the head trains in addition to an adapter.
        quantized: whether the base model's weights are quantized.
        lean_layers: whether the method's layers may keep less for the backward pass (LEAN_LAYERS, and no mixed
            precision).
        new_rows: full name of a module -> its new rows, of tokens that were added: they must train. Only a method with
            `trains_new_rows = True` gets any.
    """

    head: tuple[str, ...] = ()
    new_parameters: frozenset[str] = frozenset()
    train_head: bool = True
    quantized: bool = False
    lean_layers: bool = True
    new_rows: Mapping[str, tuple[int, ...]] = attrs.field(factory=dict)

    def trains(self, parameter: str) -> bool:
        """Return whether a parameter trains whatever the method: a new one, or the head's where the head trains."""
        if parameter in self.new_parameters:
            return True
        return self.train_head and any(parameter == m or parameter.startswith(f"{m}.") for m in self.head)


class Quantizer(Protocol[ParamsT]):
    """Puts a base model into fewer bits. Constructed with its params instance."""

    def __init__(self, params: ParamsT) -> None: ...

    def hf_options(self, skip: Sequence[str], device: str) -> Mapping[str, Any]:
        """Return keyword arguments for a Hugging Face `from_pretrained`.

        Args:
            skip: names of modules that stay in full precision (the head, and what the checkpoint lacks).
            device: where the model will live.
        """

    def convert(self, model: nn.Module, skip: Sequence[str], device: str) -> nn.Module:
        """Quantize the layers of any module in place and return it.

        Raises:
            InputError: the model has no layer that can be quantized.
        """

    def prepare(self, model: nn.Module, gradient_checkpointing: bool) -> nn.Module:
        """Make a quantized model ready to train an adapter on (norms, input gradients)."""

    def dequantize(self, model: nn.Module) -> nn.Module:
        """Replace the quantized layers by plain float32 ones that compute the same; return the model.

        Methods call it to merge: an adapter is not merged into rounded weights. Adapters attach to quantized layers
        that are subclasses of `torch.nn.Linear`.
        """


class Method(Protocol[ParamsT]):
    """Decides which parameters of a model train. Constructed with its params instance."""

    def __init__(self, params: ParamsT) -> None: ...

    def attach(self, model: nn.Module, context: AttachContext) -> nn.Module:
        """Prepare a model for training: freeze it, add an adapter, or both. Return the module to train.

        Raises:
            InputError: the method cannot serve this model, or a parameter names nothing in it.
        """

    def trainable_groups(self, model: nn.Module) -> Mapping[str, Sequence[str]]:
        """Return the parameters that should train, by group ("adapter", "head", ...): full names in the attached model.

        A group without a moving tensor stops the run.
        """

    def disable_adapter(self, model: nn.Module) -> AbstractContextManager[Any]:
        """Return a context in which the model computes what the base model with its new head would."""

    def save_adapter(self, model: nn.Module, folder: Path) -> bool:
        """Write what the method added into a folder, in peft's format; False where it added nothing."""

    def load_adapter(self, model: nn.Module, folder: Path) -> nn.Module:
        """Attach the adapter that `save_adapter` wrote to a plain base model."""

    def merge(self, model: nn.Module, quantizer: Quantizer | None) -> nn.Module:
        """Return the trained model without any class of the method or the quantizer.

        Args:
            model: the attached model.
            quantizer: what quantized the base model, and can dequantize it; None for a base in float.

        Raises:
            InputError: the model cannot be merged; the message gives the reason.
        """
