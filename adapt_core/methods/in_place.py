"""What the methods that train a model's own weights in place share: nothing is added, so nothing is kept apart."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from torch import nn


class InPlace:
    """A method without an adapter. `full` and `last_layer` are such."""

    def disable_adapter(self, model: nn.Module) -> AbstractContextManager[None]:
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
