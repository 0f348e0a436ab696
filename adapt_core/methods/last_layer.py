"""The method `last_layer`: the head trains, or the last few layers, and the rest is frozen."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from torch import nn
from torch.utils.hooks import RemovableHandle

from adapt_core.contracts import AttachContext, Quantizer
from adapt_core.errors import InputError
from adapt_core.methods.in_place import InPlace
from adapt_core.methods.params import LastLayerParams
from adapt_core.methods.requires_grad import freeze_except, hold_batch_norms, hold_frozen
from adapt_core.nn.structure import last_layers, untie_head

log = logging.getLogger(__name__)


class LastLayer(InPlace):
    """Last-layer tuning. With LAST_LAYERS above 1 the last blocks before the head train too."""

    def __init__(self, params: LastLayerParams) -> None:
        self.params = params
        self._groups: dict[str, list[str]] = {}
        self._held: list[RemovableHandle] = []

    def attach(self, model: nn.Module, context: AttachContext) -> nn.Module:
        """Freeze everything but the last layers and the parameters that the checkpoint did not hold.

        Raises:
            InputError: the model has fewer layers than LAST_LAYERS asks for, its head cannot be found, or the layers
                before it are quantized.
        """
        if context.quantized and self.params.last_layers > 1:
            raise InputError(
                f"LAST_LAYERS: {self.params.last_layers}: on a quantized base the head alone can train, for it alone "
                "is held in full precision."
                " Set LAST_LAYERS: 1."
            )
        if not context.head:
            raise InputError(
                f"method last_layer: {type(model).__name__} has no head that could be told from its base. "
                "Use method full."
            )
        untied = untie_head(model, context.head)
        if untied:
            log.info(
                "the head %s shared its weight with the embeddings; it is untied so that it can be trained separately.",
                untied,
            )
        modules = last_layers(model, context.head, self.params.last_layers)
        prefixes = tuple(f"{name}." for name in modules)
        head_prefixes = tuple(f"{name}." for name in context.head)

        def in_head(name: str) -> bool:
            return name.startswith(head_prefixes) or name in context.head or name in context.new_parameters

        freeze_except(model, lambda name: in_head(name) or name.startswith(prefixes) or name in modules)
        trainable = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
        if not trainable:
            raise InputError(
                f"method last_layer: the head {', '.join(context.head)} contains no parameter that can train."
                " Choose another method."
            )
        self._groups = {
            "head": [name for name in trainable if in_head(name)],
            "last layers": [name for name in trainable if not in_head(name)],
        }
        self._held = hold_batch_norms(model)
        if not self.params.frozen_dropout:
            self._held += hold_frozen(model)
        return model

    def trainable_groups(self, model: nn.Module) -> Mapping[str, Sequence[str]]:
        """Return the head, and the further last layers."""
        return self._groups

    def merge(self, model: nn.Module, quantizer: Quantizer | None) -> nn.Module:
        """Remove the hooks that keep frozen layers in evaluation mode, and dequantize where the base is quantized."""
        for handle in self._held:
            handle.remove()
        self._held = []
        return super().merge(model, quantizer)
