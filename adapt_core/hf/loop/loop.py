"""The loop "hf": one Trainer for one job."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import EarlyStoppingCallback, PreTrainedModel, PrinterCallback, ProgressCallback, TrainerState
from transformers.trainer_pt_utils import LengthGroupedSampler, find_batch_size

from adapt_core.contracts import Job, TrainResult
from adapt_core.distributed.batch_norm import broadcast_batch_norm_buffers
from adapt_core.errors import InputError
from adapt_core.evaluation import PerClass, of_evaluation
from adapt_core.hf.loop.arguments import load, training_arguments
from adapt_core.hf.loop.callbacks import Figures, SealCheckpoints, StopWhenAsked, TrainingCheckCallback, plain_metrics
from adapt_core.hf.loop.components import TrainerComponents
from adapt_core.hf.loop.eval_order import in_row_order
from adapt_core.hf.loop.eval_padding import filled_up, first_rows, real_rows
from adapt_core.hf.loop.finite_losses import FiniteLosses
from adapt_core.hf.loop.loss_scale import declare_loss_scaling
from adapt_core.hf.loop.samplers import GroupedRows, KeepRowOrder
from adapt_core.run_folder.checkpoints import claim_checkpoint

log = logging.getLogger(__name__)


def watched(trainer_class: type) -> type:
    """A Trainer class that shows each training loss to the training check, and is otherwise the same.

    In several processes it evaluates one model: batch norms get the same statistics in all of them before. Rows grouped
    by length are trained on in an order that a resumed run draws again. It keeps the data set that it
    evaluates as `evaluated` and the order in which it does as `order` (by length, where training groups by length), so
    that predictions can be held against rows. Its checkpoints hold the model's own parameter names: transformers would
    write the published names of models that it renames while loading (ViT), and then find none of them when it resumes
    or takes the best.
    """

    class Watched(trainer_class):
        training_check_callback: TrainingCheckCallback
        finite_losses: FiniteLosses
        prepare_evaluation: Callable[[], None]
        check_step: Callable[[nn.Module], None]
        evaluated: Any = None
        order: list[int] | None = None

        def get_eval_dataloader(self, eval_dataset: Any = None) -> Any:
            self.evaluated = self.eval_dataset if eval_dataset is None else eval_dataset
            return super().get_eval_dataloader(eval_dataset)

        def evaluate(self, *args: Any, **kwargs: Any) -> Any:
            self.prepare_evaluation()
            broadcast_batch_norm_buffers(self.model, self.args.world_size)
            return super().evaluate(*args, **kwargs)

        def _get_train_sampler(self, *args: Any, **kwargs: Any) -> Any:
            sampler = super()._get_train_sampler(*args, **kwargs)
            if isinstance(sampler, LengthGroupedSampler):
                return GroupedRows(sampler.lengths, sampler.batch_size, self.args.world_size)
            return sampler

        def _get_eval_sampler(self, eval_dataset: Any) -> Any:
            sampler = super()._get_eval_sampler(eval_dataset)
            # Drawn once: the sampler reads the length of every row to draw it.
            self.order = list(sampler) if isinstance(sampler, LengthGroupedSampler) else None
            return self.order or sampler

        def compute_loss(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
            if self.args.world_size > 1 and not model.training:
                # The mean of this process's batch, as one process computes it.
                kwargs["num_items_in_batch"] = None
            return super().compute_loss(model, inputs, *args, **kwargs)

        def prediction_step(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
            own = real_rows(self, inputs)
            if own is None:
                return super().prediction_step(model, inputs, *args, **kwargs)
            loss, *results = super().prediction_step(model, first_rows(inputs, own), *args, **kwargs)
            return loss, *filled_up(results, int(find_batch_size(inputs)))

        def _save_checkpoint(self, *args: Any, **kwargs: Any) -> None:
            if self.is_world_process_zero():
                claim_checkpoint(Path(str(self.args.output_dir)) / f"checkpoint-{self.state.global_step}")
            if self.args.world_size > 1:
                torch.distributed.barrier()  # The others make the folder too.
            super()._save_checkpoint(*args, **kwargs)

        def _save(self, *args: Any, **kwargs: Any) -> None:
            model = self.accelerator.unwrap_model(self.model)
            if not isinstance(model, PreTrainedModel):
                super()._save(*args, **kwargs)
                return
            vars(model)["save_pretrained"] = partial(type(model).save_pretrained, model, save_original_format=False)
            try:
                super()._save(*args, **kwargs)
            finally:
                del vars(model)["save_pretrained"]

        def training_step(self, model: Any, *args: Any, **kwargs: Any) -> torch.Tensor:
            self.check_step(model)
            loss: torch.Tensor = super().training_step(model, *args, **kwargs)
            self.finite_losses.see_loss(self.state.global_step, loss)
            self.training_check_callback.see_loss(loss)
            return loss

    Watched.__name__ = trainer_class.__name__
    return Watched


class HuggingFaceLoop:
    """Trains and evaluates with transformers' Trainer (or a subclass that the task names).

    Raises:
        InputError: the arguments do not fit together, or an optional part (an optimizer's package) is missing.
    """

    def __init__(self, job: Job, parts: TrainerComponents) -> None:
        # The tokenizers have done their work; a pool of their threads would only disturb the data workers' fork.
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        plan, world = job.plan, job.world
        self._parts = parts
        self._classes: dict[tuple[tuple[str, float], ...], PerClass] = {}
        training = plan.training
        arguments = training_arguments(
            plan, world, job.folder.checkpoints, parts.metrics, job.data.validation is not None
        )
        self._figures = Figures(job.recorder, world, training.batch_size * training.gradient_accumulation_steps)
        training_check = TrainingCheckCallback(job.training_check)
        self._row_order = KeepRowOrder()
        finite = FiniteLosses()
        callbacks = [
            finite,
            self._figures,
            training_check,
            self._row_order,
            SealCheckpoints(world, training.no_of_checkpoints),
            StopWhenAsked(job.stop),
        ]
        if training.early_stopping_patience and arguments["do_eval"]:
            callbacks.append(EarlyStoppingCallback(training.early_stopping_patience))
        declare_loss_scaling(job.model)
        # transformers refuses to train on a quantized base without an adapter of peft's, a head in float32 too.
        vars(job.model).pop("is_quantized", None)
        try:
            self._trainer = watched(load(parts.trainer_class))(
                model=job.model,
                args=load(parts.arguments_class)(**{**arguments, **parts.arguments}),
                data_collator=parts.collate,
                train_dataset=job.data.train,
                eval_dataset=job.data.validation,
                processing_class=parts.processing_class,
                compute_metrics=self._scored if parts.score or parts.compute_metrics else None,
                compute_loss_func=parts.compute_loss,
                preprocess_logits_for_metrics=parts.preprocess_logits,
                callbacks=callbacks,
            )
        except (ValueError, ImportError) as error:
            raise InputError(f"the training arguments do not fit: {' '.join(str(error).split())}") from error
        self._trainer.training_check_callback = training_check
        self._trainer.finite_losses = finite
        self._strategy = job.strategy
        self._trainer.prepare_evaluation = partial(job.strategy.prepare_evaluation, self)
        self._trainer.check_step = job.strategy.check_step
        self._stop = job.stop
        self._trainer.remove_callback(PrinterCallback)
        self._trainer.remove_callback(ProgressCallback)
        self._accepts_best = training.keep == "best"
        job.strategy.setup(self)

    def _scored(self, prediction: Any) -> dict[str, float]:
        parts, evaluated = self._parts, self._trainer.evaluated
        if self._trainer.order is not None:
            prediction = in_row_order(prediction, self._trainer.order)
        if parts.score is not None:
            scores = parts.score(prediction, evaluated)
        else:
            assert parts.compute_metrics is not None
            scores = parts.compute_metrics(prediction)
        if parts.per_class is not None:
            self._classes[tuple(scores.items())] = parts.per_class(prediction, evaluated)
        return scores

    def per_class(self, metrics: Mapping[str, float]) -> PerClass | None:
        """Return the scores of each class in the evaluation with these metrics."""
        return of_evaluation(self._classes, metrics)

    @property
    def trainer(self) -> Any:
        """The Trainer, for launchers that verify how it runs."""
        return self._trainer

    def evaluate(self, split: Any) -> dict[str, float]:
        """Metrics of the model as it is on one split, `loss` among them."""
        self._figures.quiet = True
        try:
            return plain_metrics(self._trainer.evaluate(eval_dataset=split))
        finally:
            self._figures.quiet = False

    def train(self, resume_from: Path | None) -> TrainResult:
        """Train, from a complete checkpoint on where one is given.

        Raises:
            InputError: the model does not support what was asked for, a package is missing, or memory ran out.
        """
        trainer = self._trainer
        self._strategy.prepare_training(self)
        if resume_from:
            self._row_order.resume(resume_from)
        try:
            with self._stop.heeded():
                outcome = trainer.train(resume_from_checkpoint=str(resume_from) if resume_from else None)
        except (torch.OutOfMemoryError, MemoryError) as error:
            raise InputError(
                f"out of memory at step {trainer.state.global_step}: lower BATCH_SIZE (and raise "
                "GRADIENT_ACCUMULATION_STEPS), or set GRADIENT_CHECKPOINTING: true."
            ) from error
        except ImportError as error:
            raise InputError(f"OPTIMIZER {trainer.args.optim}: {error}") from error
        state = trainer.state
        final = self._final_step(state)
        return TrainResult(
            steps=state.global_step,
            seconds=float(outcome.metrics["train_runtime"]),
            samples_per_second=float(outcome.metrics["train_samples_per_second"]),
            after=self._figures.evaluations.get(final),
        )

    def _final_step(self, state: TrainerState) -> int:
        """The step whose weights the model has after training: the best one's with KEEP best, else the last one's."""
        last, best = int(state.global_step), int(state.best_global_step or 0)
        if not self._accepts_best or not best:
            return last
        if state.best_model_checkpoint and Path(state.best_model_checkpoint).is_dir():
            return best
        log.warning("the best checkpoint, of step %d, is gone: the model keeps the weights of step %d.", best, last)
        return last

    def unwrap_model(self) -> nn.Module:
        """The attached model without the Trainer's wrappers."""
        model: nn.Module = self._trainer.accelerator.unwrap_model(self._trainer.model, keep_fp32_wrapper=False)
        return model
