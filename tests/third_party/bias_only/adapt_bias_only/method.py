"""BitFit (Ben Zaken et al., 2022): the biases of a frozen model train."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

from adapt_core.errors import InputError


class BiasOnly:
    """Trains biases and the head in place; nothing is added."""

    def __init__(self, params: Any) -> None:
        self.params = params
        self._groups: dict[str, list[str]] = {}

    def attach(self, model: Any, site: Any) -> Any:
        wanted = self.params.bias_of
        names = [name for name, _ in model.named_parameters()]
        biases = [n for n in names if n.endswith("bias") and (not wanted or any(part in n for part in wanted))]
        if not biases:
            raise InputError(f"bias_of: no bias of the model lies in a module named {', '.join(wanted)}.")
        self._groups = {"biases": biases, "head": [name for name in names if site.trains(name)]}
        trained = {name for members in self._groups.values() for name in members}
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(name in trained)
        return model

    def groups(self, model: Any) -> Any:
        return self._groups

    def base_only(self, model: Any) -> Any:
        return nullcontext()

    def save_adapter(self, model: Any, folder: Any) -> bool:
        return False

    def load_adapter(self, model: Any, folder: Any) -> Any:
        return model

    def merge(self, model: Any) -> Any:
        return model
