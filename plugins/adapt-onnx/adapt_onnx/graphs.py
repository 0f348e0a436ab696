"""A torch module traced into an ONNX file, with any number of rows and positions."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from adapt_core.errors import InputError, first_line

if TYPE_CHECKING:
    import torch
    from torch import nn

DATA = ".data"
"""What the name of the file of weights has behind that of a graph that they are too large for."""

ROWS, POSITIONS, PAST = (0,), (0, 1), (0, 2)
"""Axes of any length of an input: of images, of tokens, of a cache (rows, heads, past, width)."""


@attrs.frozen(kw_only=True)
class Graph:
    """A module to be traced.

    Attributes:
        module: takes the inputs in their order, groups of them as lists, and returns a tuple of the outputs.
        inputs: name -> example of at least two rows and positions; a group of them, name -> example, under one name.
        axes: the axes of any length of each input, or of each one of a group.
        outputs: names.
    """

    module: nn.Module
    inputs: Mapping[str, torch.Tensor | Mapping[str, torch.Tensor]]
    axes: Mapping[str, tuple[int, ...]]
    outputs: Sequence[str]


def write_graph(graph: Graph, path: Path) -> None:
    """Write a graph as an ONNX file; weights of more than 1.5 GiB lie in one file beside it (`NAME.onnx.data`).

    Such a file cannot be larger than 2 GiB.

    Raises:
        InputError: torch cannot trace the module; the message has its reason.
    """
    import torch
    from torch.export import Dim

    arguments: list[Any] = []
    shapes: list[Any] = []
    names: list[str] = []
    for name, value in graph.inputs.items():
        dynamic = dict.fromkeys(graph.axes[name], Dim.DYNAMIC)
        if isinstance(value, torch.Tensor):
            arguments.append(value)
            shapes.append(dynamic)
            names.append(name)
        else:
            arguments.append(list(value.values()))
            shapes.append([dynamic] * len(value))
            names.extend(value)
    with _quiet():
        try:
            # Arguments by position: torch gives `input_names` out in the order of keyword arguments.
            program = torch.onnx.export(
                graph.module.eval(),
                tuple(arguments),
                dynamo=True,
                dynamic_shapes=tuple(shapes),
                input_names=names,
                output_names=list(graph.outputs),
                verbose=False,
            )
        except Exception as error:
            cause: BaseException = error
            while cause.__cause__ is not None:
                cause = cause.__cause__
            raise InputError(
                f"onnx: torch cannot trace {type(graph.module).__name__} of this model: {first_line(cause)}. "
                "Leave onnx out of EXPORT."
            ) from error
        assert program is not None
        program.save(path)


def weights_of(path: Path) -> Path:
    """Return the file that holds the weights of an ONNX file: itself, or the one beside it."""
    beside = path.with_name(f"{path.name}{DATA}")
    return beside if beside.is_file() else path


@contextmanager
def eager_attention(model: nn.Module) -> Iterator[None]:
    """Let a transformers model compute attention by plain operators, which every runtime has, for a while."""
    module: Any = model
    before = getattr(getattr(module, "config", None), "_attn_implementation", None)
    if before in (None, "eager") or not hasattr(module, "set_attn_implementation"):
        yield
        return
    module.set_attn_implementation("eager")
    try:
        yield
    finally:
        module.set_attn_implementation(before)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what the tracer says of its steps off the terminal."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings(), redirect_stdout(StringIO()):
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
