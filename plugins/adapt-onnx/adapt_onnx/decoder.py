"""Language models: logits, and the keys and values of each layer as inputs and outputs."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import torch
from torch import nn

from adapt_core.errors import InputError

from adapt_onnx.graphs import PAST, POSITIONS, Graph, eager_attention, write_graph

FILE = "model.onnx"
_ROWS, _PAST, _POSITIONS = 2, 3, 5


class _Step(nn.Module):
    """A language model with its cache as tensors (rows, heads, past, width), two for each layer."""

    def __init__(self, model: nn.Module, *, positions: bool) -> None:
        super().__init__()
        self.model, self.positions = model, positions

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        position_ids: torch.Tensor,
        past: list[torch.Tensor],
    ) -> tuple[torch.Tensor, ...]:
        """Return logits and the longer cache."""
        from transformers import DynamicCache

        cache = DynamicCache(list(zip(past[::2], past[1::2], strict=True)))
        given = {"position_ids": position_ids} if self.positions else {}
        found = self.model(
            input_ids=input_ids, attention_mask=attention_mask, past_key_values=cache, use_cache=True, **given
        )
        return (found.logits, *layers_of(found.past_key_values))


def layers_of(cache: Any) -> list[torch.Tensor]:
    """Return keys and values of a transformers cache, layer by layer."""
    return [tensor for layer in cache.layers for tensor in (layer.keys, layer.values)]


def write_decoder(model: nn.Module, folder: Path) -> dict[str, Any]:
    """Write a language model as `model.onnx`.

    Its inputs are input_ids (rows, positions), attention_mask (rows, past + positions), position_ids, and for each
    layer past_key_values.N.key and .value; its outputs logits and present.N.key and .value.

    Args:
        model: plain, in float32, in evaluation mode.
        folder: gets the file.

    Returns:
        what a runtime must know of the cache: layers, heads, width.

    Raises:
        InputError: its cache is not one of keys and values alone (Mamba), or torch cannot trace it.
    """
    words = torch.full((_ROWS, _POSITIONS), 1)
    with torch.no_grad(), eager_attention(model):
        found = model(input_ids=words, use_cache=True)
        cache = getattr(found, "past_key_values", None)
        layers = getattr(cache, "layers", None)
        if not layers or any(getattr(layer, "keys", None) is None for layer in layers):
            raise InputError(
                f"onnx: the cache of {type(model).__name__} is not one of keys and values in each layer, which an ONNX "
                "file has as inputs and outputs. Leave onnx out of EXPORT."
            )
        heads, width = layers[0].keys.shape[1], layers[0].keys.shape[3]
        kinds = [f"{number}.{kind}" for number in range(len(layers)) for kind in ("key", "value")]
        past = {f"past_key_values.{kind}": torch.randn(_ROWS, heads, _PAST, width) for kind in kinds}
        positions = torch.arange(_PAST, _PAST + _POSITIONS).repeat(_ROWS, 1)
        takes = "position_ids" in inspect.signature(model.forward).parameters
        graph = Graph(
            module=_Step(model, positions=takes),
            inputs={
                "input_ids": words,
                "attention_mask": torch.ones(_ROWS, _PAST + _POSITIONS, dtype=torch.long),
                "position_ids": positions,
                "past": past,
            },
            axes={"input_ids": POSITIONS, "attention_mask": POSITIONS, "position_ids": POSITIONS, "past": PAST},
            outputs=["logits", *(f"present.{kind}" for kind in kinds)],
        )
        write_graph(graph, folder / FILE)
    return {"layers": len(layers), "heads": heads, "width": width}
