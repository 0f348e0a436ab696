"""Callbacks of transformers' Trainer: training check, metrics, checkpoints and stop requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from adapt_core.distributed.world import World
from adapt_core.run_folder.background import BackgroundWriter
from adapt_core.run_folder.checkpoints import StepShape, prune, seal
from adapt_core.run_folder.ranking import Ranking
from adapt_core.runtime.interrupts import StopRequest
from adapt_core.runtime.recorder import MetricRecorder, Pace
from adapt_core.uncertainty.intervals import Interval
from adapt_core.verification.training import STEPS_TO_DECIDE, TrainingCheck

_EVALUATION = "eval_"
_NOT_METRICS = ("runtime", "samples_per_second", "steps_per_second", "model_preparation_time", "jit_compilation_time")


def plain_metrics(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Return evaluation metrics without the prefix "eval_" and without timings."""
    named = {key.removeprefix(_EVALUATION): value for key, value in metrics.items() if key.startswith(_EVALUATION)}
    return {key: float(value) for key, value in named.items() if key not in _NOT_METRICS}


class TrainingCheckCallback(TrainerCallback):
    """Passes fingerprints, gradients, losses and steps to the training check."""

    def __init__(self, training_check: TrainingCheck) -> None:
        self._training_check = training_check
        self._steps = 0
        self.early_losses: list[torch.Tensor] = []

    def see_loss(self, loss: torch.Tensor) -> None:
        """Keep the loss of a step before the verdict, on its device: nothing waits for it."""
        if self._steps < STEPS_TO_DECIDE:
            self.early_losses.append(loss.detach())

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        self._training_check.begin()

    def on_pre_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        self._training_check.see_gradients()

    def on_optimizer_step(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        optimizer: torch.optim.Optimizer | None = None,
        **_: object,
    ) -> None:
        assert optimizer is not None
        self._steps += 1
        if self._steps == STEPS_TO_DECIDE:
            for loss in self.early_losses:
                self._training_check.see_loss(float(loss))
            self.early_losses = []
        rate = max(group["lr"] for group in optimizer.param_groups)
        self._training_check.stepped(float(rate), skipped=bool(getattr(optimizer, "step_was_skipped", False)))


class MetricsCallback(TrainerCallback):
    """Passes metrics to the recorder and progress to the reporter.

    Attributes:
        quiet: True during the evaluations "before" and "after", which the pipeline records.
        intervals_of: metrics of an evaluation -> the 95 % interval of each that has one.
        evaluations: step -> metrics of the evaluations during training.
    """

    def __init__(self, recorder: MetricRecorder, world: World) -> None:
        self._recorder = recorder
        self._pace = Pace()
        self._is_main = world.is_main
        self._latest: dict[str, float] = {}
        self.quiet = False
        self.intervals_of: Callable[[Mapping[str, float]], Mapping[str, Interval]] = lambda _metrics: {}
        self.evaluations: dict[int, dict[str, float]] = {}

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        self._recorder.reporter.start("training", state.max_steps, state.global_step)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        batches = args.gradient_accumulation_steps * args.world_size
        pace = self._pace.step(args.per_device_train_batch_size * batches)
        self._recorder.reporter.update(state.global_step, self._latest, pace)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **_: object,
    ) -> None:
        state.log_history.clear()  # It grows with the run, in memory and in each checkpoint; metrics.jsonl has it.
        if self.quiet or not logs:
            return
        figures = {key: float(logs[key]) for key in ("loss", "learning_rate", "grad_norm") if logs.get(key) is not None}
        if figures:
            self._latest = {"loss": figures["loss"], "lr": figures["learning_rate"]}
            self._recorder.metrics("train", state.global_step, float(state.epoch or 0), figures)

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: dict[str, Any] | None = None,
        **_: object,
    ) -> None:
        if self.quiet or not metrics:
            return
        plain = plain_metrics(metrics)
        self.evaluations[state.global_step] = plain
        found = self.intervals_of(plain) if self._is_main else {}
        self._recorder.metrics("eval", state.global_step, float(state.epoch or 0), plain, found)
        words = ", ".join(f"{name} {value:.4g}" for name, value in plain.items())
        self._recorder.reporter.message(f"step {state.global_step} (epoch {state.epoch or 0:.2f}): {words}")

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        self._recorder.reporter.close()


class SealCallback(TrainerCallback):
    """Writes the manifest that completes a checkpoint, after every process has written its part; deletes the oldest.

    transformers would delete every folder whose name begins like a checkpoint's, whoever made it.

    Args:
        world: this process's place.
        keep: how many checkpoints are kept.
        writer: writes checkpoints; what failed there fails at the next step.
        ranking: KEEP: soup keeps the best, not the newest; else None.

    Attributes:
        shape: of the steps, for the manifest.
    """

    def __init__(self, world: World, keep: int, writer: BackgroundWriter, ranking: Ranking | None = None) -> None:
        self.shape: StepShape | None = None
        self._world = world
        self._keep = keep
        self._writer = writer
        self._ranking = ranking

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        self._writer.check()

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        self._writer.wait()

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        if self._world.size > 1:
            torch.distributed.barrier()
        folder = Path(str(args.output_dir))
        checkpoint = folder / f"checkpoint-{state.global_step}"
        if self._world.is_main:
            best = Path(state.best_model_checkpoint) if state.best_model_checkpoint else None
            self._writer.add(partial(seal, checkpoint, self.shape))
            pruned = partial(prune, folder, self._keep, best) if self._ranking is None else self._ranking.prune
            self._writer.add(pruned)
        self._writer.launch(checkpoint)


class StopCallback(TrainerCallback):
    """Saves a checkpoint at the end of the step in which a stop was requested in any process, and ends the run.

    Must come after SealCallback, so that the checkpoint is complete when the run ends.
    """

    def __init__(self, stop: StopRequest, writer: BackgroundWriter) -> None:
        self._stop = stop
        self._writer = writer
        self._training = False

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        self._training = True

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        self._training = False

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        asked = self._stop.stepped()
        # The last step of an epoch is saved in on_epoch_end, behind the epoch's evaluation: a run that resumes from it
        # begins the next epoch, and would never make up for one.
        ends_an_epoch = control.should_training_stop or float(state.epoch or 0).is_integer()
        control.should_save = (asked and not ends_an_epoch) or control.should_save

    def on_epoch_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        control.should_save = self._stop.agreed() or control.should_save

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        if self._training:  # and not before training or after it, where a signal has ended the run
            control.should_save = self._stop.agreed() or control.should_save

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        if self._stop.agreed():
            self._writer.wait()
            self._stop.end(state.global_step)
