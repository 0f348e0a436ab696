"""EMA: an exponential moving average of the weights that train, which is evaluated, kept and saved in their place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from torch import nn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from adapt_core.distributed.world import World
from adapt_core.nn.running_average import RunningAverage
from adapt_core.nn.staging import write_state
from adapt_core.nn.weights import read_torch_file
from adapt_core.run_folder.background import BackgroundWriter

FILE = "averaged_weights.pt"
"""In a checkpoint: name -> average, beside the weights that training goes on from."""


class AveragedWeights(TrainerCallback):
    """Averages the trainable parameters after each step (see `RunningAverage`).

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
        self._average: RunningAverage | None = None

    def resume(self, checkpoint: Path) -> None:
        """Go on from the averages of a checkpoint when training begins."""
        self._resumed = checkpoint

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: nn.Module | None = None,
        **_: object,
    ) -> None:
        assert model is not None
        self._parameters = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
        self._average = RunningAverage(self._decay, self._parameters)
        if self._resumed is not None:
            self.load(self._resumed)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        assert self._average is not None
        self._average.step(state.global_step)

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        if not self._world.is_main:
            return
        assert self._average is not None
        folder = Path(str(args.output_dir)) / f"checkpoint-{state.global_step}"
        self._writer.add(partial(write_state, self._average.held(), folder / FILE))

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        assert self._average is not None
        self._average.put_in()
        self._average = None  # from here on they are the weights

    def load(self, checkpoint: Path) -> None:
        """Take the averages of a checkpoint."""
        assert self._average is not None
        self._average.load(read_torch_file(checkpoint / FILE))

    def put_in(self, checkpoint: Path) -> None:
        """Give the model the averages of a checkpoint, when training is over."""
        for name, average in read_torch_file(checkpoint / FILE).items():
            parameter = self._parameters[name]
            parameter.data = average.to(parameter)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Let the model have the averages inside; before training, and after it, it is as it is."""
        if self._average is None:
            yield
            return
        with self._average.applied():
            yield
