"""EMA: an exponential moving average of tensors over the steps of training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch

from adapt_core.nn.precision import is_half


class RunningAverage:
    """Averages tensors after each step: w' = d w' + (1 - d) w.

    d is EMA, and less in the first steps, min(EMA, (1 + n) / (10 + n)) after n of them, so that short runs forget the
    weights they began with (as TensorFlow's `ExponentialMovingAverage` with its number of updates). Averages of
    half-precision tensors are in float32. Polyak and Juditsky (1992) show what an average of iterates gains.

    Args:
        decay: EMA.
        tensors: name -> parameter or buffer, which stay the same objects.
    """

    def __init__(self, decay: float, tensors: Mapping[str, torch.Tensor]) -> None:
        self._decay = decay
        self._tensors = dict(tensors)
        self._averages = {name: _widened(tensor).clone() for name, tensor in self._tensors.items()}

    def step(self, number: int) -> None:
        """Average the tensors of step `number`, counted from 1."""
        decay = min(self._decay, (1 + number) / (10 + number))
        for name, average in self._averages.items():
            average.lerp_(_widened(self._tensors[name]), 1 - decay)

    def held(self) -> dict[str, torch.Tensor]:
        """Return copies of the averages, on the CPU."""
        return {name: average.to("cpu", copy=True) for name, average in self._averages.items()}

    def load(self, held: Mapping[str, torch.Tensor]) -> None:
        """Go on from averages that `held` returned."""
        for name, average in held.items():
            self._averages[name].copy_(average)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Let the tensors be the averages inside."""
        trained = {name: tensor.data for name, tensor in self._tensors.items()}
        self.put_in()
        try:
            yield
        finally:
            for name, data in trained.items():
                self._tensors[name].data = data

    def put_in(self) -> None:
        """Let the tensors be the averages."""
        for name, average in self._averages.items():
            self._tensors[name].data = average.to(self._tensors[name].dtype)


def _widened(tensor: torch.Tensor) -> torch.Tensor:
    data = tensor.detach()
    return data.float() if is_half(data.dtype) else data
