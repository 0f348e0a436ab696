"""The loop "mm": one Runner of mmengine for one job."""

from __future__ import annotations

import logging
import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import torch
from mmengine.dataset import pseudo_collate
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader

from adapt_core.config.fitting import unfit
from adapt_core.contracts import Job, TrainResult
from adapt_core.distributed.batch_norm import broadcast_batch_norm_buffers
from adapt_core.errors import InputError
from adapt_core.evaluated_rows import EvaluatedRows
from adapt_core.evaluation import PerClass
from adapt_core.hf.data.resampling import Shares
from adapt_core.nn.random_state import seed_everything, untouched_random_state
from adapt_core.uncertainty.intervals import BRIEF, Interval, intervals_of

import adapt_vision_mm.openmmlab.autocast  # registers the wrapper
import adapt_vision_mm.openmmlab.named  # registers the schedule
import adapt_vision_mm.openmmlab.weight_decay  # noqa: F401 - registers the constructor
from adapt_vision_mm.annotations.annotated_split import CocoResult
from adapt_vision_mm.openmmlab import cfg_options, checkpoints
from adapt_vision_mm.openmmlab.activation_checkpointing import checkpointed_activations
from adapt_vision_mm.openmmlab.availability import quiet_warnings
from adapt_vision_mm.openmmlab.averaged_weights import AveragedWeights
from adapt_vision_mm.openmmlab.budget import Pacing
from adapt_vision_mm.openmmlab.contracts import MmDataset, Package, Scorer
from adapt_vision_mm.openmmlab.dataloader import evaluation_loader, training_loader
from adapt_vision_mm.openmmlab.frozen_backbone import frozen_backbone_of
from adapt_vision_mm.openmmlab.fused_convolutions import FusedConvolutions
from adapt_vision_mm.openmmlab.hooks import Milestones, Watch
from adapt_vision_mm.openmmlab.kept_weights import KeptWeights, ranking_of
from adapt_vision_mm.openmmlab.last_evaluation import LastEvaluation
from adapt_vision_mm.openmmlab.optimizer import optim_wrapper
from adapt_vision_mm.openmmlab.progress import Progress
from adapt_vision_mm.openmmlab.schedules import schedulers, surprises
from adapt_vision_mm.openmmlab.train_loop import SteppedTrainLoop, count_batches
from adapt_vision_mm.openmmlab.validation_loss import batch_losses

if TYPE_CHECKING:
    from mmengine.config import Config

log = logging.getLogger(__name__)


@attrs.frozen(kw_only=True)
class RunnerComponents:
    """The task-specific inputs of the loop.

    Attributes:
        config: the adapted OpenMMLab config; the loop adds `optim_wrapper`, `param_scheduler` and `train_cfg` to it.
        package: whose registry builds what the config names.
        scorer: makes metrics of predictions.
        loss_dataset: (dataset) -> its images with objects, prepared as for training without augmentation.
        base_batch_size: the divisor of auto_scale_lr.
        shares: how often an epoch shows each training image, where not each once.
    """

    config: Config
    package: Package
    scorer: Scorer
    loss_dataset: Callable[[MmDataset], MmDataset]
    base_batch_size: int | None
    shares: Shares | None = None


class MmLoop:
    """Trains and evaluates with mmengine.

    Raises:
        InputError: the optimizer's package is missing, or an option does not fit the config.
    """

    def __init__(self, job: Job, components: RunnerComponents) -> None:
        self._job, self._components = job, components
        plan, world = job.plan, job.world
        job.model.to(torch.device(world.device))
        self._model = _wrapped(job) if world.size > 1 else job.model
        self._progress: Progress | None = None
        self._loader: DataLoader[dict[str, Any]] | None = None
        self._compared = False
        self._evaluated: LastEvaluation | None = None
        self._fusion = FusedConvolutions(wanted=plan.task.params.fuse_convolutions)
        self._frozen = frozen_backbone_of(job, components.config)
        self._ranking = ranking_of(job, components.scorer.metrics)
        if plan.training.do_train:
            self._loader = self._training_loader()
            self._progress = self._new_progress(len(self._loader))
            self._add_training_to_config()

    def unwrap_model(self) -> nn.Module:
        """Return the attached model."""
        return self._job.model

    @property
    def config(self) -> Config:
        """The OpenMMLab config of the run, schedules and optimizer included."""
        return self._components.config

    @property
    def wrapped_model(self) -> nn.Module:
        """The model as it trains, for launchers that verify how it runs."""
        return self._model

    def _training_loader(self) -> DataLoader[dict[str, Any]]:
        job = self._job
        return training_loader(job.data.train, job.plan.training, job.world, self._components.shares)

    def _new_progress(self, per_epoch: int) -> Progress:
        training = self._job.plan.training
        accumulation = training.gradient_accumulation_steps
        total = count_batches(per_epoch, training.epochs, training.max_steps, accumulation)
        return Progress(
            world=self._job.world,
            batches_per_epoch=per_epoch,
            total_batches=total,
            accumulation=accumulation,
            averages=AveragedWeights(training.ema),
        )

    def _add_training_to_config(self) -> None:
        assert self._progress is not None
        plan, config, progress = self._job.plan, self._components.config, self._progress
        steps_per_epoch = Fraction(progress.batches_per_epoch, progress.accumulation)
        base_size, factors = self._components.base_batch_size, self._job.rate_factors
        wrapper = optim_wrapper(plan, config.get("optim_wrapper"), self._job.world, base_size, factors)
        for key in ("optim_wrapper", "param_scheduler", "train_cfg"):
            config.pop(key, None)
        config.optim_wrapper = wrapper
        config.param_scheduler = schedulers(plan, steps_per_epoch, progress.total_steps)
        self._job.recorder.warn(surprises(plan, steps_per_epoch, progress.total_steps))
        for warning in unfit(plan, progress.total_steps):
            log.warning(warning)
        config.train_cfg = {"total_batches": progress.total_batches, "batch_size": plan.training.batch_size}
        cfg_options.apply(config, plan.task.params.cfg_options)

    def evaluate(self, split: MmDataset) -> dict[str, float]:
        """Return the metrics of the model as it is on one split, over all ranks."""
        training, world = self._job.plan.training, self._job.world
        model: Any = self._job.model
        broadcast_batch_norm_buffers(model, world.size)
        model.eval()
        found: list[CocoResult] = []
        losses: list[float] = []
        with torch.no_grad(), quiet_warnings(), ExitStack() as contexts:
            for number, batch in enumerate(evaluation_loader(split, training, world)):
                if number == 0 and not self._compared:
                    self._run_for_merge_check(batch)
                if number == 0:
                    contexts.enter_context(self._fusion.of(model, batch))
                with self._frozen.kept(split):
                    samples = model.val_step(batch)
                for sample in samples:
                    found += self._components.scorer.to_results(sample, split.annotated)
            if self._wants_loss():
                losses = batch_losses(model, evaluation_loader(self._components.loss_dataset(split), training, world))
        if world.size > 1:
            gathered: list[Any] = [None] * world.size
            torch.distributed.all_gather_object(gathered, (found, losses))
            found = [item for results, _ in gathered for item in results]
            losses = [item for _, values in gathered for item in values]
        self._evaluated = LastEvaluation(found, split.annotated, self._components.scorer)
        if losses:
            self._evaluated.metrics["loss"] = sum(losses) / len(losses)
        return self._evaluated.metrics

    def per_class(self, metrics: Mapping[str, float]) -> PerClass | None:
        """Return the metrics of each class in the last evaluation, if that had these metrics."""
        if self._evaluated is None or self._evaluated.metrics != metrics:
            return None
        return self._evaluated.per_class

    def evaluated_rows(self, metrics: Mapping[str, float]) -> Sequence[EvaluatedRows]:
        """Return what the last evaluation found of each image, if it had these metrics."""
        if self._evaluated is None or self._evaluated.metrics != metrics or not self._job.world.is_main:
            return ()
        return self._evaluated.image_rows

    def _intervals_of(self, metrics: Mapping[str, float]) -> Mapping[str, Interval]:
        return intervals_of(self.evaluated_rows(metrics), metrics, self._job.plan.training.seed, BRIEF)

    def _wants_loss(self) -> bool:
        return (self._job.plan.training.metric_for_best or "").removeprefix("eval_").casefold() == "loss"

    def _run_for_merge_check(self, batch: dict[str, Any]) -> None:
        """Call the model once in a run for the merge check, which compares tensors; predictions are lists of boxes.

        A model that selects proposals predicts instead, and nothing is compared: which ones it selects depends on the
        last digit of a score.
        """
        self._compared = True
        model: Any = self._job.model
        picks = hasattr(model, "roi_head") or getattr(model, "as_two_stage", False)
        model._run_forward(model.data_preprocessor(batch, False), mode="predict" if picks else "tensor")

    def train(self, resume_from: Path | None) -> TrainResult:
        """Train, from a complete checkpoint if one is given.

        Raises:
            InputError: memory ran out, a package is missing, or the loss is not finite.
        """
        assert self._progress is not None
        progress, training, job = self._progress, self._job.plan.training, self._job
        pacing = Pacing(job, progress, progress.total_steps)
        if resume_from is not None:
            state = checkpoints.read(resume_from)
            checkpoints.load_trained_state(job.model, state["model"])
            progress.load_state(state)
            job.budget.hold(progress.total_steps)
        if not training.do_eval or job.data.validation is None:
            with torch.no_grad(), quiet_warnings(), untouched_random_state():
                job.model.eval()
                self._run_for_merge_check(pseudo_collate([job.data.train[0]]))
        seed_everything(training.seed)
        first, started = progress.batch, time.monotonic()
        with tempfile.TemporaryDirectory() as work_dir, quiet_warnings():
            runner = self._runner(work_dir, first, pacing)
            try:
                activations = checkpointed_activations(job.model, enabled=training.gradient_checkpointing)
                [writer] = [hook.writer for hook in runner.hooks if isinstance(hook, Milestones)]
                # Augmented images are new in each epoch.
                still = nullcontext() if job.plan.task.params.augment else self._frozen.kept(job.data.train)
                with activations, still, job.stop.heeded(job.world), writer.completed(alone=job.world.size == 1):
                    runner.train()
            except (torch.OutOfMemoryError, MemoryError) as error:
                raise InputError(
                    f"out of memory at step {progress.step}: lower BATCH_SIZE (and raise "
                    "GRADIENT_ACCUMULATION_STEPS), or image_size."
                ) from error
        ended = KeptWeights(
            job=job,
            progress=progress,
            ranking=self._ranking,
            evaluate=self.evaluate,
            training_loader=self._training_loader,
        ).put_in()
        seconds = time.monotonic() - started
        examples = (progress.batch - first) * training.batch_size * job.world.size
        return TrainResult(
            steps=progress.step,
            seconds=seconds,
            samples_per_second=examples / max(seconds, 1e-9),
            after=ended.after,
            soup=ended.soup,
        )

    def _runner(self, work_dir: str, start_batch: int, pacing: Pacing) -> Runner:
        config, job = self._components.config, self._job
        assert self._progress is not None
        milestones = Milestones(job, pacing, self._progress, self.evaluate, self._intervals_of, self._ranking)
        hooks = [Watch(job, self._progress, pacing), milestones]
        try:
            return Runner(
                model=self._model,
                work_dir=work_dir,
                train_dataloader=self._loader,
                train_cfg={"type": SteppedTrainLoop, **config.train_cfg, "start_batch": start_batch},
                optim_wrapper=config.optim_wrapper.to_dict(),
                param_scheduler=[dict(scheduler) for scheduler in config.param_scheduler],
                default_hooks=dict.fromkeys(
                    ("runtime_info", "timer", "sampler_seed", "logger", "param_scheduler", "checkpoint")
                ),
                custom_hooks=hooks,
                randomness={"seed": job.plan.training.seed},
                visualizer={"type": "Visualizer", "vis_backends": []},
                log_level="ERROR",
                default_scope=self._components.package,
                experiment_name=f"adapt_{os.getpid()}_{time.monotonic_ns()}",
            )
        except (KeyError, ImportError, TypeError) as error:
            raise InputError(
                f"the training options do not fit: {' '.join(str(error).split())[:300]} (Correct the key it names.)"
            ) from error


def _wrapped(job: Job) -> nn.Module:
    from mmengine.model import MMDistributedDataParallel

    on_gpu = job.world.device.startswith("cuda")
    wrapped: nn.Module = MMDistributedDataParallel(
        module=job.model,
        device_ids=[torch.device(job.world.device).index] if on_gpu else None,
        broadcast_buffers=False,
        find_unused_parameters=True,
    )
    return wrapped
