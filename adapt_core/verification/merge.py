"""The proof that a merged model computes what the unmerged one did, on inputs of the run itself.

While the run evaluates, the first inputs of the model are kept. At the merge the model computes them once more, then
the merged model does, and the largest difference of their outputs is held against a tolerance.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypedDict

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle

from adapt_core.errors import DefectError

FLOAT_TOLERANCE = 1e-4
"""Largest difference over largest output, for weights in float32."""
ROUNDED_TOLERANCE = 5e-2
"""The same where weights are rounded: in half precision, or on a quantized base."""


class MergeOutcome(TypedDict):
    """The result of a merge check, as in `result.json`.

    Attributes:
        max_difference: the largest absolute difference of outputs.
        relative_difference: the same over the largest output.
        tolerance: the largest relative difference that is allowed.
        inputs: the split that the inputs come from, "validation" or "training".
    """

    max_difference: float
    relative_difference: float
    tolerance: float
    inputs: str


log = logging.getLogger(__name__)


class MergeCheck:
    """Watches one attached model and judges its merge.

    Args:
        model: the attached model, as the loop will call it.
        rounded: whether the base holds its weights in less than float32.
    """

    def __init__(self, model: nn.Module, rounded: bool) -> None:
        self._tolerance = ROUNDED_TOLERANCE if rounded else FLOAT_TOLERANCE
        self._inputs: tuple[tuple[Any, ...], dict[str, Any]] | None = None
        self._unmerged: list[torch.Tensor] = []
        self._in_evaluation = False
        self._handle: RemovableHandle | None = model.register_forward_pre_hook(self._keep, with_kwargs=True)

    def _keep(self, model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if self._inputs is None or not model.training:
            self._inputs = _to_cpu(args), _to_cpu(kwargs)
            self._in_evaluation = not model.training
        if self._in_evaluation:
            self.stop()

    def stop(self) -> None:
        """Stops watching."""
        if self._handle is not None:
            self._handle.remove()
            self._handle = None

    def before(self, model: nn.Module) -> None:
        """Computes the kept inputs with the unmerged model. Call it right before the merge."""
        self.stop()
        self._unmerged = self._outputs(model)

    def after(self, model: nn.Module) -> MergeOutcome | None:
        """Computes them with the merged model, and compares.

        Returns:
            the outcome for `result.json`, or None where the model was never called.

        Raises:
            DefectError: the outputs differ by more than the tolerance, or are not finite.
        """
        if not self._unmerged:
            return None
        merged = self._outputs(model)
        largest = max(float(tensor.abs().max()) for tensor in self._unmerged)
        pairs = zip(self._unmerged, merged, strict=True)
        difference = max(float((first - second).abs().max()) for first, second in pairs)
        relative = difference / largest if largest else difference
        outcome: MergeOutcome = {
            "max_difference": difference,
            "relative_difference": relative,
            "tolerance": self._tolerance,
            "inputs": "validation" if self._in_evaluation else "training",
        }
        if not relative <= self._tolerance:
            raise DefectError(
                f"the merged model computes something else than the trained one: the largest difference of outputs is "
                f"{difference:.3g} ({relative:.3g} of the largest output; at most {self._tolerance:g} is allowed). "
                "The adapter itself is saved; set MERGE_ADAPTER: false to keep it unmerged."
            )
        log.info("merged; the outputs differ by at most %.3g (%.3g of the largest)", difference, relative)
        return outcome

    def _outputs(self, model: nn.Module) -> list[torch.Tensor]:
        if self._inputs is None:
            return []
        device = next(model.parameters()).device
        args, kwargs = (_to(part, device) for part in self._inputs)
        with torch.no_grad(), _evaluating(model), _whole_floats():
            outputs = model(*args, **kwargs)
        return [tensor.float().cpu() for tensor in _tensors(outputs) if tensor.dtype.is_floating_point]


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


@contextmanager
def _whole_floats() -> Iterator[None]:
    """GPUs multiply float32 in TF32 (10 bits of it) in convolutions, unless told otherwise: more than the tolerance."""
    cudnn: Any = torch.backends.cudnn
    kinds = (cudnn.conv, cudnn.rnn, torch.backends.cuda.matmul)
    before = [kind.fp32_precision for kind in kinds]
    for kind in kinds:
        kind.fp32_precision = "ieee"
    try:
        yield
    finally:
        for kind, precision in zip(kinds, before, strict=True):
            kind.fp32_precision = precision


def _to_cpu(value: Any) -> Any:
    return _to(value, torch.device("cpu"))


def _to(value: Any, device: torch.device) -> Any:
    if isinstance(value, torch.Tensor):
        return value.detach().to(device)
    if isinstance(value, Mapping):
        return {key: _to(item, device) for key, item in value.items()}
    if isinstance(value, (list, tuple)) and type(value) in (list, tuple):
        return type(value)(_to(item, device) for item in value)
    return value


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        if value.numel():
            yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _tensors(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _tensors(item)
