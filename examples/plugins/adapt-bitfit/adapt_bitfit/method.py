"""BitFit: the biases of a frozen model train. https://arxiv.org/abs/2106.10199"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from adapt_core.plugin import AttachContext, InPlace, InputError, freeze_except

if TYPE_CHECKING:
    from torch import nn

    from adapt_bitfit.plugin import BitFitParams


class BitFit(InPlace):
    """Training of the model's own biases, and of the head where it trains. Nothing is added, so nothing is merged."""

    def __init__(self, params: BitFitParams) -> None:
        self.params = params
        self._groups: dict[str, list[str]] = {}

    def attach(self, model: nn.Module, context: AttachContext) -> nn.Module:
        """Freeze everything but biases and head.

        Raises:
            InputError: no module that `bias_of` names has a bias, or the model has none.
        """
        wanted = self.params.bias_of
        names = [name for name, _ in model.named_parameters()]
        head = [name for name in names if context.trains(name)]
        biases = [name for name in names if name.endswith("bias") and name not in head]
        chosen = [name for name in biases if not wanted or any(part in name for part in wanted)]
        if not chosen:
            where = f" in a module named {', '.join(wanted)}" if wanted else ""
            raise InputError(f"bias_of: {type(model).__name__} has no bias{where}. It has {', '.join(biases[:5])}.")
        self._groups = {"biases": chosen, "head": head}
        trained = {*chosen, *head}
        freeze_except(model, trained.__contains__)
        return model

    def trainable_groups(self, model: nn.Module) -> Mapping[str, Sequence[str]]:
        """Return the biases and the head."""
        return self._groups
