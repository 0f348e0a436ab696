"""Gradients of a model that is computed in two ways, compared tensor by tensor: in float32 and in float64."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from types import ModuleType
from typing import Any
from unittest.mock import patch

import torch
from torch import nn

_ROUNDING = 8
"""A gradient whose largest number is below so many epsilons of the largest of all is nothing but rounding."""


def assert_same_gradients(
    found: Mapping[str, torch.Tensor], expected: Mapping[str, torch.Tensor], tolerance: float
) -> None:
    """Check that no number of a gradient is off by more than a share of the largest one of the same gradient.

    Some gradients are zero but for rounding (that of a bias of attention's keys, which softmax takes out again): they
    must stay so.

    Args:
        found: float tensors by the names of their parameters.
        expected: the same ones, computed in another way.
        tolerance: the share, 1e-5 for instance.

    Raises:
        AssertionError: names the first gradient that differs.
    """
    assert found.keys() == expected.keys()
    largest = max(float(gradient.abs().max()) for gradient in expected.values())
    for name, gradient in expected.items():
        assert found[name].dtype == gradient.dtype, name
        own, rounding = float(gradient.abs().max()), _ROUNDING * torch.finfo(gradient.dtype).eps * largest
        if own <= rounding:
            assert float(found[name].abs().max()) <= rounding, name
            continue
        off = float((found[name] - gradient).abs().max())
        assert off <= tolerance * own, f"{name} is off by {off / own:.2g} of its largest number"


@contextmanager
def float32_as_float64(model: nn.Module) -> Iterator[None]:
    """Within the context, transformers' code of a model in float64 computes everything in float64.

    Most families compute norms, the softmax of attention and the loss in float32, whatever the type of their weights.
    So two ways to compute the same differ by the rounding of float32 there. Here `torch.float32` means float64 in the
    modules of the model's own code, and `Tensor.float` everywhere.

    Args:
        model: whose code is meant, in a wrapper of peft or not.
    """
    names = {type(part).__module__ for part in model.modules()}
    with ExitStack() as patched:
        patched.enter_context(patch.object(torch.Tensor, "float", torch.Tensor.double))
        for name in names:
            if name.startswith("transformers.models."):
                patched.enter_context(patch.object(sys.modules[name], "torch", _Torch("torch")))
        yield


class _Torch(ModuleType):
    """torch, with float64 for float32."""

    float32 = torch.float64

    def __getattr__(self, name: str) -> Any:
        return getattr(torch, name)
