"""The merge check: a merged model computes what the unmerged one does.

The unmerged model computes a batch right before the merge, the merged one right after it, and the largest difference of
their outputs must be within a tolerance. A run takes the batch from its own evaluation (`MergeCheck`); `adapt export`
takes random inputs, which need no data (`adapt_core.capabilities.SupportsRandomBatch`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle

from adapt_core.errors import DefectError
from adapt_core.nn.modes import evaluation_mode
from adapt_core.nn.precision import is_half
from adapt_core.result_records import MergeOutcome

FLOAT_TOLERANCE = 1e-4
"""Largest difference as a share of the largest output, for weights in float32."""
ROUNDED_TOLERANCE = 5e-2
"""The same where weights are rounded: in half precision, or on a quantized base."""
KEPT_ENOUGH = 0.9
"""Least share of what an adapter changed that a merge keeps without a warning."""
_SMALLEST_CHANGE = 1e-5
"""Share of the outputs below which float32's own rounding hides what an adapter changed."""


log = logging.getLogger(__name__)


class OutputComparison:
    """A comparison of the outputs of one batch before and after a merge.

    Args:
        inputs: keyword inputs of the model, CPU tensors by name; None where there is no batch (yet).
        source: where they come from: "training" or "random".
        rounded: whether the base has its weights in less than float32.
    """

    def __init__(self, inputs: Mapping[str, Any] | None, source: str, *, rounded: bool) -> None:
        self._tolerance = ROUNDED_TOLERANCE if rounded else FLOAT_TOLERANCE
        self._inputs: tuple[tuple[Any, ...], dict[str, Any]] | None = None if inputs is None else ((), dict(inputs))
        self._source = source
        self._unmerged: list[torch.Tensor] = []
        self._base: list[torch.Tensor] = []

    def before(self, model: nn.Module, disabled: AbstractContextManager[Any] | None = None) -> None:
        """Compute the batch with the unmerged model. Call it right before the merge.

        Args:
            model: the attached model.
            disabled: a context in which it computes what the base does; without it what was kept is not measured.
        """
        self._unmerged = self._outputs(model)
        if disabled is not None:
            with disabled:
                self._base = self._outputs(model)

    def widen_inputs(self) -> None:
        """Give the model inputs in float32 where they were in half precision, for a model that is now in float32."""
        if self._inputs is not None:
            args, kwargs = (_map(part, _widened) for part in self._inputs)
            self._inputs = args, kwargs

    def after(self, model: nn.Module) -> MergeOutcome | None:
        """Compute the batch with the merged model and compare.

        Returns:
            the outcome, or None where there is no batch or the outputs contain no tensor.

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
        outcome = MergeOutcome(
            max_difference=difference,
            relative_difference=relative,
            tolerance=self._tolerance,
            inputs=self._source,
            kept=self._kept(merged),
        )
        if not relative <= self._tolerance:
            raise DefectError(
                "the merged model does not compute what the trained one does: the outputs differ by up to "
                f"{difference:.3g} ({relative:.3g} of the largest output; at most {self._tolerance:g} is allowed). "
                "The adapter itself is saved; use it unmerged (MERGE_ADAPTER: false)."
            )
        log.info("merged; the outputs differ by at most %.3g (%.3g of the largest)", difference, relative)
        if outcome["kept"] is not None:
            log.info("the merged model keeps %.3g of what the adapter changed", outcome["kept"])
        return outcome

    def _kept(self, merged: list[torch.Tensor]) -> float | None:
        """Return 1 - |merged - unmerged| / |unmerged - base|, at least 0; None where nothing was changed to measure."""
        if not self._base:
            return None
        changed = _distance(self._unmerged, self._base)
        if changed <= _SMALLEST_CHANGE * _distance(self._unmerged, [torch.zeros_like(t) for t in self._unmerged]):
            return None
        return max(0.0, 1 - _distance(merged, self._unmerged) / changed)

    def _outputs(self, model: nn.Module) -> list[torch.Tensor]:
        if self._inputs is None:
            return []
        device = next(model.parameters()).device
        args, kwargs = (_to(part, device) for part in self._inputs)
        with torch.no_grad(), evaluation_mode(model), _ieee_float32():
            outputs = model(*args, **kwargs)
        return [tensor.float().cpu() for tensor in _tensors(outputs) if tensor.dtype.is_floating_point]


class MergeCheck(OutputComparison):
    """The merge check of a run: it keeps the first inputs that the model gets in evaluation, or else in training.

    Args:
        model: the attached model, as the loop calls it.
        rounded: whether the base has its weights in less than float32.
    """

    def __init__(self, model: nn.Module, *, rounded: bool) -> None:
        super().__init__(None, "training", rounded=rounded)
        self._handle: RemovableHandle | None = model.register_forward_pre_hook(self._keep, with_kwargs=True)

    def _keep(self, model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if self._inputs is None or not model.training:
            self._inputs = _to_cpu(args), _to_cpu(kwargs)
        if not model.training:
            self._source = "validation"
            self.stop()

    @property
    def batch(self) -> tuple[Mapping[str, Any] | None, str]:
        """The inputs that were kept, where all of them have names, and where they come from."""
        args, kwargs = self._inputs or ((), {})
        return (None if args or not kwargs else kwargs), self._source

    def stop(self) -> None:
        """Stop watching the model."""
        if self._handle is not None:
            self._handle.remove()
            self._handle = None

    def before(self, model: nn.Module, disabled: AbstractContextManager[Any] | None = None) -> None:
        """Compute the batch with the unmerged model, and stop watching. Call it right before the merge."""
        self.stop()
        super().before(model, disabled)


def merge_findings(outcome: MergeOutcome | None, dtype: str) -> list[str]:
    """Return that a merge lost a part of what was learned, with what to do.

    Args:
        outcome: of a merge check; None where nothing was merged.
        dtype: the type of the base's weights ("bfloat16").
    """
    kept = None if outcome is None else outcome.get("kept")
    if kept is None or kept >= KEPT_ENOUGH:
        return []
    return [
        f"the merged model keeps {kept:.2g} of what the adapter changed, for its {dtype} weights are rounded: write it "
        "with adapt export --merge-dtype float32 (in a run MERGE_DTYPE: float32), or use the adapter unmerged"
    ]


def _distance(first: list[torch.Tensor], second: list[torch.Tensor]) -> float:
    squares = [(one - other).cpu().double().square().sum() for one, other in zip(first, second, strict=True)]
    return float(torch.stack(squares).sum().sqrt())


@contextmanager
def _ieee_float32() -> Iterator[None]:
    """Compute float32 in full: GPUs use TF32 (10 bits of mantissa) in convolutions, which exceeds the tolerance."""
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
    return _map(value, lambda tensor: tensor.detach().to(device))


def _widened(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.float() if is_half(tensor.dtype) else tensor


def _map(value: Any, change: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    if isinstance(value, torch.Tensor):
        return change(value)
    if isinstance(value, Mapping):
        return {key: _map(item, change) for key, item in value.items()}
    if isinstance(value, (list, tuple)) and type(value) in (list, tuple):
        return type(value)(_map(item, change) for item in value)
    return value


def _tensors(value: object) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        if value.numel():
            yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _tensors(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _tensors(item)
