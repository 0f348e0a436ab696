"""The base of methods that train a model's own weights: nothing is added, so nothing is saved apart."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from torch import nn

from adapt_core.contracts import Quantizer


class InPlace:
    """A method without an adapter. `full` and `last_layer` are such."""

    def disable_adapter(self, model: nn.Module) -> AbstractContextManager[None]:
        """Change nothing: before training the model is its own base."""
        return nullcontext()

    def save_adapter(self, model: nn.Module, folder: Path) -> bool:
        """Do nothing: nothing was added."""
        return False

    def load_adapter(self, model: nn.Module, folder: Path) -> nn.Module:
        """Do nothing: nothing was added."""
        return model

    def merge(self, model: nn.Module, quantizer: Quantizer | None) -> nn.Module:
        """Return the model, dequantized where its base is quantized: nothing was added to it."""
        return model if quantizer is None else quantizer.dequantize(model)
