"""The method `full`: every parameter of the model trains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from adapt_core.contracts import Site
from adapt_core.errors import InputError
from adapt_core.methods.in_place import InPlace


class Full(InPlace):
    """Full fine-tuning. Nothing is added, so there is no adapter and nothing to merge."""

    def __init__(self, params: Any) -> None:
        self.params = params
        self._site = Site()

    def attach(self, model: nn.Module, site: Site) -> nn.Module:
        """Makes every parameter trainable.

        Raises:
            InputError: the base is quantized.
        """
        if site.quantized:
            raise InputError("method full trains every weight, and quantized weights cannot train.")
        self._site = site
        for parameter in model.parameters():
            parameter.requires_grad_(True)
        return model

    def groups(self, model: nn.Module) -> Mapping[str, Sequence[str]]:
        """Two groups: the head, and everything before it."""
        names = [name for name, _ in model.named_parameters()]
        head = [name for name in names if self._site.trains(name)]
        return {"base model": [name for name in names if name not in set(head)], "head": head}
