"""Hooks of adapt in mmengine's Runner: metrics and checks of each step, evaluations and checkpoints."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from mmengine.hooks import Hook

from adapt_core.contracts import Job
from adapt_core.distributed.world import World
from adapt_core.errors import InputError
from adapt_core.nn.staging import Staging
from adapt_core.run_folder.background import BackgroundWriter
from adapt_core.run_folder.checkpoints import prune
from adapt_core.run_folder.ranking import Ranking
from adapt_core.runtime.recorder import Pace
from adapt_core.uncertainty.intervals import Interval
from adapt_core.verification.training import TrainingCheck

from adapt_vision_mm.openmmlab import checkpoints
from adapt_vision_mm.openmmlab.budget import Pacing
from adapt_vision_mm.openmmlab.contracts import MmDataset
from adapt_vision_mm.openmmlab.progress import Progress

if TYPE_CHECKING:
    from mmengine.runner import Runner

Batch = dict[str, Any] | None
"""A collated batch: `inputs` and `data_samples`."""
Losses = dict[str, torch.Tensor] | None
"""Each term of the loss, and their sum as "loss"."""
Evaluate = Callable[[MmDataset], dict[str, float]]
IntervalsOf = Callable[[Mapping[str, float]], Mapping[str, Interval]]
"""Metrics of an evaluation -> the 95 % interval of each that has one."""


class Watch(Hook):
    """Counts optimizer steps, steps the schedules, feeds the training check, and stops at a loss that is not finite.

    Recorded values are means over the steps since the last record.
    """

    priority = "VERY_HIGH"

    def __init__(self, job: Job, progress: Progress, pacing: Pacing) -> None:
        self._job, self._progress, self._pacing = job, progress, pacing
        self._training_check: TrainingCheck = job.training_check
        self._pace = Pace()
        self._losses: list[float] = []
        self._rate = 0.0

    def before_train(self, runner: Runner) -> None:
        self._pacing.begin(runner)
        self._progress.restore(runner, self._job.model)
        self._training_check.begin()
        optimizer = runner.optim_wrapper.optimizer
        optimizer.register_step_pre_hook(lambda *_: self._training_check.see_gradients())
        optimizer.register_step_post_hook(lambda *_: self._after_step(runner))
        self._job.recorder.reporter.start("training", self._progress.total_steps, self._progress.step)

    def _after_step(self, runner: Runner) -> None:
        self._rate = max(float(group["lr"]) for group in runner.optim_wrapper.optimizer.param_groups)
        self._progress.step += 1
        self._training_check.stepped(self._rate)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Batch = None, outputs: Losses = None
    ) -> None:
        assert outputs is not None
        loss = float(outputs["loss"])
        if not math.isfinite(loss):
            assert data_batch is not None
            images = ", ".join(str(sample.img_path) for sample in data_batch["data_samples"])
            raise InputError(
                f"the training loss is not finite at step {self._progress.step}, on {images}: lower LR, set WARMUP: "
                "true, or look for extreme values in those images' annotations. Checkpoints from before are kept."
            )
        self._training_check.see_loss(loss)
        self._losses.append(loss)
        progress, training = self._progress, self._job.plan.training
        progress.batch = runner.iter + 1
        if not progress.stepped():
            return
        for scheduler in runner.param_schedulers or ():
            scheduler.step()
        self._pacing.stepped(runner)
        mean = sum(self._losses) / len(self._losses)
        examples = training.rows_per_step * self._job.world.size
        self._job.recorder.reporter.update(progress.step, {"loss": mean, "lr": self._rate}, self._pace.step(examples))
        if progress.step % training.logging_steps == 0 or progress.step == 1:
            # Terms of the loss; those of a decoder's inner layers (d0.loss_cls) would clutter the file.
            terms = {key: float(value) for key, value in outputs.items() if key.startswith("loss_")}
            means = _mean_over_ranks({"loss": mean, **terms}, self._job.world)
            values = {"loss": means.pop("loss"), "learning_rate": self._rate, **means}
            self._job.recorder.metrics("train", progress.step, progress.epoch, values)
            self._losses = []

    def after_train(self, runner: Runner) -> None:
        self._job.recorder.reporter.close()


def _mean_over_ranks(values: dict[str, float], world: World) -> dict[str, float]:
    """Return the means of values over all processes, each of which must call it with the same names."""
    if world.size == 1:
        return values
    sums = torch.tensor(list(values.values()), dtype=torch.float64)
    torch.distributed.all_reduce(sums)
    return dict(zip(values, (sums / world.size).tolist(), strict=True))


class Milestones(Hook):
    """Evaluates and saves by INTERVAL, keeps the best checkpoint, and stops early."""

    priority = "LOW"

    def __init__(
        self,
        job: Job,
        pacing: Pacing,
        progress: Progress,
        evaluate: Evaluate,
        intervals_of: IntervalsOf,
        ranking: Ranking,
    ) -> None:
        self._job, self._progress, self._pacing = job, progress, pacing
        self._evaluate, self._intervals_of = evaluate, intervals_of
        self._ranking = ranking
        self._staging = Staging()
        self.writer = BackgroundWriter(enabled=job.plan.training.background_checkpoints)

    def after_train(self, runner: Runner) -> None:
        self.writer.wait()
        self._progress.averages.end()
        if self._job.world.size > 1:
            torch.distributed.barrier()  # all of them read the best checkpoint, which rank 0 has written now

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Batch = None, outputs: Losses = None
    ) -> None:
        training, progress = self._job.plan.training, self._progress
        if not progress.stepped():
            return
        self.writer.check()
        progress.averages.step(progress.step)
        epoch_ends = progress.batch % progress.batches_per_epoch == 0 or progress.batch == progress.total_batches
        if training.interval == "steps":
            due = progress.step % training.interval_steps == 0
            save = due
        elif training.interval == "epoch":
            due = epoch_ends
            save = due and round(progress.epoch) % self._job.plan.task.params.checkpoint_interval == 0
        else:
            due = save = False
        last = progress.batch == progress.total_batches
        improved = self._evaluated(runner) if due else False
        last = last or runner.train_loop.stop_training
        asked = self._job.stop.stepped()
        saves = training.interval != "no" and (save or last or (improved and training.keeps_best))
        if saves or asked:
            self._save(runner, improved)
        if saves or due:
            self._pacing.paused()
        if asked:
            self.writer.wait()
            self._job.stop.end(progress.step)

    def _evaluated(self, runner: Runner) -> bool:
        job, progress, training = self._job, self._progress, self._job.plan.training
        if not training.do_eval or job.data.validation is None:
            return False
        with progress.averages.applied():
            metrics = self._evaluate(job.data.validation)
        runner.model.train()
        job.recorder.metrics("eval", progress.step, progress.epoch, metrics, self._intervals_of(metrics))
        words = ", ".join(f"{name} {value:.4g}" for name, value in metrics.items())
        job.recorder.reporter.message(f"step {progress.step} (epoch {progress.epoch:.2f}): {words}")
        progress.last_evaluation = (progress.step, metrics)
        value = metrics[self._ranking.metric]
        improved = progress.best_value is None or self._ranking.is_better(value, progress.best_value)
        if improved:
            progress.best_value, progress.best_step, progress.without_better = value, progress.step, 0
        else:
            progress.without_better += 1
            patience = training.early_stopping_patience
            if patience and progress.without_better >= patience:
                runner.train_loop.stop_training = True
        return improved

    def _save(self, runner: Runner, improved: bool) -> None:
        self.writer.wait()
        state = self._progress.state(runner, self._job.model)
        if not self._job.world.is_main:
            return
        folder: Path = self._job.folder.checkpoints
        if self.writer.enabled:
            state = self._staging.copy("state", state)
        self.writer.add(partial(checkpoints.write, folder, self._progress.step, state))
        training = self._job.plan.training
        if training.keep == "soup":
            self.writer.add(self._ranking.prune)
        else:
            best = folder / f"checkpoint-{self._progress.best_step}" if training.keep == "best" else None
            self.writer.add(partial(prune, folder, training.no_of_checkpoints, best))
        self.writer.launch(folder / f"checkpoint-{self._progress.step}")
