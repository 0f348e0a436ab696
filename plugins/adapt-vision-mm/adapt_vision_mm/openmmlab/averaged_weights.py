"""EMA: an exponential moving average of weights and statistics, which is evaluated, kept and saved in their place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import nn

from adapt_core.nn.batch_norms import STATISTICS, batch_norms
from adapt_core.nn.running_average import RunningAverage


class AveragedWeights:
    """Averages the parameters that train, and the statistics of batch norms with them, as mmengine's EMAHook can.

    Args:
        decay: EMA; None averages nothing.
    """

    def __init__(self, decay: float | None) -> None:
        self._decay = decay
        self._average: RunningAverage | None = None

    def begin(self, model: nn.Module, held: Mapping[str, torch.Tensor] | None) -> None:
        """Begin with a model's weights, or go on from the averages of a checkpoint."""
        if self._decay is None:
            return
        tensors = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
        for name, norm in batch_norms(model).items():
            tensors |= {f"{name}.{kind}": getattr(norm, kind) for kind in STATISTICS}
        self._average = RunningAverage(self._decay, tensors)
        if held is not None:
            self._average.load(held)

    def step(self, number: int) -> None:
        """Average the weights of step `number`."""
        if self._average is not None:
            self._average.step(number)

    def held(self) -> dict[str, torch.Tensor] | None:
        """Return the averages for a checkpoint; None without EMA."""
        return None if self._average is None else self._average.held()

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Let the model have the averages inside."""
        if self._average is None:
            yield
            return
        with self._average.applied():
            yield

    def end(self) -> None:
        """Let the model have the averages from here on."""
        if self._average is not None:
            self._average.put_in()
            self._average = None
