"""Models of one pass: classifiers, taggers, answers, images."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from adapt_onnx.graphs import POSITIONS, ROWS, Graph, eager_attention, write_graph

if TYPE_CHECKING:
    from collections.abc import Sequence

FILE = "model.onnx"


class _Forward(nn.Module):
    """The model with its inputs by position and its outputs as a tuple."""

    def __init__(self, model: nn.Module, names: Sequence[str], outputs: Sequence[str]) -> None:
        super().__init__()
        self.model, self.names, self.outputs = model, list(names), list(outputs)

    def forward(self, given: list[torch.Tensor]) -> tuple[torch.Tensor, ...]:
        """Return the outputs."""
        found: Any = self.model(**dict(zip(self.names, given, strict=True)))
        return (found,) if isinstance(found, torch.Tensor) else tuple(found[name] for name in self.outputs)


def write_forward(model: nn.Module, inputs: Mapping[str, Any], folder: Path) -> None:
    """Write a model as `model.onnx`, whose inputs and outputs have the names of torch.

    Args:
        model: plain, in float32, in evaluation mode.
        inputs: a batch.
        folder: gets the file.
    """
    example = {name: two_rows(value) for name, value in taken(model, inputs).items()}
    with torch.no_grad():
        found = model(**example)
    outputs = ["logits"] if isinstance(found, torch.Tensor) else [name for name in found if name.endswith("logits")]
    axes = ROWS if next(iter(example.values())).is_floating_point() else POSITIONS
    with eager_attention(model):
        module = _Forward(model, list(example), outputs)
        write_graph(
            Graph(module=module, inputs={"given": example}, axes={"given": axes}, outputs=outputs), folder / FILE
        )


def taken(model: nn.Module, inputs: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    """Return the tensors of a batch that a model's `forward` takes."""
    known = inspect.signature(model.forward).parameters
    return {name: value for name, value in inputs.items() if isinstance(value, torch.Tensor) and name in known}


def two_rows(tensor: torch.Tensor) -> torch.Tensor:
    """Return two rows of a tensor: with one, the tracer would take their number for a constant."""
    return torch.cat([tensor, tensor])[:2]
