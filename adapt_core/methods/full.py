"""The method `full`: every parameter of the model trains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from torch import nn

from adapt_core.contracts import Site
from adapt_core.errors import InputError


class Full:
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

    def base_only(self, model: nn.Module) -> AbstractContextManager[None]:
        """Before training the model is its own base."""
        return nullcontext()

    def save_adapter(self, model: nn.Module, folder: Path) -> bool:
        """Nothing was added."""
        return False

    def load_adapter(self, model: nn.Module, folder: Path) -> nn.Module:
        """Nothing was added."""
        return model

    def merge(self, model: nn.Module) -> nn.Module:
        """The model is plain already."""
        return model
