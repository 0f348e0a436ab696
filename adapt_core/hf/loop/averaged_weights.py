"""EMA: an exponential moving average of the weights that train, which is evaluated, kept and saved in their place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from adapt_core.distributed.world import World
from adapt_core.nn.precision import is_half
from adapt_core.nn.staging import write_state
from adapt_core.nn.weights import read_torch_file
from adapt_core.run_folder.background import BackgroundWriter

FILE = "averaged_weights.pt"
"""In a checkpoint: name -> average, beside the weights that training goes on from."""


class AveragedWeights(TrainerCallback):
    """Averages the trainable parameters after each step: w' = d w' + (1 - d) w.

    d is EMA, and less in the first steps, min(EMA, (1 + n) / (10 + n)) after n of them, so that short runs forget the
    weights they began with (as TensorFlow's `ExponentialMovingAverage` with its number of updates). Averages of
    half-precision weights are in float32. Polyak and Juditsky (1992) show what an average of iterates gains.

    Must come before SealCallback, so that a checkpoint has its averages when it is complete.

    Args:
        decay: EMA.
        world: rank 0 writes.
        writer: writes checkpoints.
    """

    def __init__(self, decay: float, world: World, writer: BackgroundWriter) -> None:
        self._decay = decay
        self._world = world
        self._writer = writer
        self._resumed: Path | None = None
        self._parameters: dict[str, nn.Parameter] = {}
        self._averages: dict[str, torch.Tensor] = {}

    def resume(self, checkpoint: Path) -> None:
        """Go on from the averages of a checkpoint when training begins."""
        self._resumed = checkpoint

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        model: nn.Module = kwargs["model"]
        self._parameters = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
        self._averages = {name: _widened(weight).clone() for name, weight in self._parameters.items()}
        if self._resumed is not None:
            self.load(self._resumed)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        decay = min(self._decay, (1 + state.global_step) / (10 + state.global_step))
        for name, average in self._averages.items():
            average.lerp_(_widened(self._parameters[name]), 1 - decay)

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        if not self._world.is_main:
            return
        held = {name: average.to("cpu", copy=True) for name, average in self._averages.items()}
        folder = Path(str(args.output_dir)) / f"checkpoint-{state.global_step}"
        self._writer.add(partial(write_state, held, folder / FILE))

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        self._put_in()
        self._averages = {}  # from here on they are the weights

    def load(self, checkpoint: Path) -> None:
        """Take the averages of a checkpoint."""
        for name, average in read_torch_file(checkpoint / FILE).items():
            self._averages[name].copy_(average)

    def put_in(self, checkpoint: Path) -> None:
        """Give the model the averages of a checkpoint, when training is over."""
        for name, average in read_torch_file(checkpoint / FILE).items():
            parameter = self._parameters[name]
            parameter.data = average.to(parameter)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Let the model have the averages inside; before training, and after it, it is as it is."""
        trained = {name: self._parameters[name].data for name in self._averages}
        self._put_in()
        try:
            yield
        finally:
            for name, data in trained.items():
                self._parameters[name].data = data

    def _put_in(self) -> None:
        for name, average in self._averages.items():
            parameter = self._parameters[name]
            parameter.data = average.to(parameter.dtype)


def _widened(parameter: nn.Parameter) -> torch.Tensor:
    data = parameter.detach()
    return data.float() if is_half(data.dtype) else data
