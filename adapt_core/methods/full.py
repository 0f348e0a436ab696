"""The method `full`: every parameter of the model trains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import nn

from adapt_core.contracts import AttachContext
from adapt_core.errors import InputError
from adapt_core.methods.in_place import InPlace
from adapt_core.plugin.params import NoParams


class Full(InPlace):
    """Full fine-tuning. Nothing is added, so there is no adapter and nothing to merge."""

    trains_new_rows = True

    def __init__(self, params: NoParams) -> None:
        self.params = params
        self._context = AttachContext()

    def attach(self, model: nn.Module, context: AttachContext) -> nn.Module:
        """Make every parameter trainable.

        Raises:
            InputError: the base is quantized.
        """
        if context.quantized:
            raise InputError(
                "method: full trains every weight, and quantized weights cannot train."
                " Choose another method, or a base that is not quantized."
            )
        self._context = context
        for parameter in model.parameters():
            parameter.requires_grad_(True)
        return model

    def trainable_groups(self, model: nn.Module) -> Mapping[str, Sequence[str]]:
        """Return two groups: the head, and everything before it."""
        names = [name for name, _ in model.named_parameters()]
        head = [name for name in names if self._context.trains(name)]
        return {"base model": [name for name in names if name not in set(head)], "head": head}
