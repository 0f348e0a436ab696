"""The loop "hf": one Trainer for one job."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy
from torch import nn
from torch.utils.data import Dataset
from transformers import (
    EarlyStoppingCallback,
    EvalPrediction,
    PrinterCallback,
    ProgressCallback,
    Trainer,
    TrainerState,
)

from adapt_core.config.backward_steps import steps_in_backward
from adapt_core.contracts import Job, TrainResult
from adapt_core.errors import InputError, MemoryRanOutError
from adapt_core.evaluated_rows import EvaluatedRows
from adapt_core.evaluation import KeptEvaluations, PerClass
from adapt_core.hf.frozen.rows import NumberedBatches
from adapt_core.hf.loop.arguments import best_metric, training_arguments
from adapt_core.hf.loop.averaged_weights import AveragedWeights
from adapt_core.hf.loop.background import CheckpointCopies
from adapt_core.hf.loop.backward_steps import BackwardStepCallback
from adapt_core.hf.loop.budget import BudgetCallback, fitted_steps
from adapt_core.hf.loop.callbacks import (
    MetricsCallback,
    SealCallback,
    StopCallback,
    TrainingCheckCallback,
    plain_metrics,
)
from adapt_core.hf.loop.compiled_blocks import CompiledBlocks
from adapt_core.hf.loop.components import TrainerComponents
from adapt_core.hf.loop.encoder_outputs import encoder_of
from adapt_core.hf.loop.eval_order import restore_row_order
from adapt_core.hf.loop.finite_losses import FiniteLossCallback
from adapt_core.hf.loop.frozen import frozen_part_of, passes_over
from adapt_core.hf.loop.lean_layers import lean_forwards
from adapt_core.hf.loop.loss_scale import declare_loss_scaling
from adapt_core.hf.loop.named import use_named
from adapt_core.hf.loop.output_layer import deferrable_head
from adapt_core.hf.loop.parts import parts_of
from adapt_core.hf.loop.samplers import RowOrderCallback, row_numbers
from adapt_core.hf.loop.schedule import ScheduleCallback
from adapt_core.hf.loop.soup import TrainerSoup
from adapt_core.hf.loop.step_shapes import keep_steps, shape_of
from adapt_core.hf.loop.trainer import instrumented
from adapt_core.metrics.chosen import chosen_metrics, further_scores, require_fit, with_chosen
from adapt_core.plugin.import_strings import load_object
from adapt_core.run_folder.background import BackgroundWriter
from adapt_core.run_folder.checkpoints import step_shape
from adapt_core.run_folder.ranking import Ranking
from adapt_core.runtime.environment_errors import is_out_of_memory
from adapt_core.uncertainty.intervals import BRIEF, Interval, intervals_of

_SPLITS = ("validation", "test")

log = logging.getLogger(__name__)


class HuggingFaceLoop:
    """Trains and evaluates with transformers' Trainer (or a subclass that the task names).

    Raises:
        InputError: the training arguments do not fit together, or an optimizer's package is missing.
    """

    def __init__(self, job: Job, components: TrainerComponents) -> None:
        # All rows are tokenized by now; the tokenizers' threads would only disturb the data workers' fork.
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        plan, world = job.plan, job.world
        self._components = components
        self._classes: KeptEvaluations[PerClass] = KeptEvaluations()
        self._rows: KeptEvaluations[Sequence[EvaluatedRows]] = KeptEvaluations()
        self._data = job.data
        self._chosen = chosen_metrics(plan)
        training = plan.training
        arguments = training_arguments(
            plan, world, job.folder.checkpoints, components.metrics, job.data.validation is not None
        )
        self._metrics = MetricsCallback(job.recorder, world)
        self._metrics.intervals_of = partial(self._brief_intervals, training.seed)
        training_check = TrainingCheckCallback(job.training_check)
        self._row_order = RowOrderCallback()
        rows_of = partial(components.rows_of or row_numbers, job.data.train)
        self._writer = writer = BackgroundWriter(enabled=training.background_checkpoints)
        ranking = None
        if training.keep == "soup":
            ranking = Ranking(job.folder, *best_metric(plan, components.metrics), training.no_of_checkpoints)
        self._seal = seal = SealCallback(world, training.no_of_checkpoints, writer, ranking)
        seal.shape = shape_of(world.size, training)
        self._planned_shape = shape_of(world.planned_size or world.size, training)
        averages = AveragedWeights(training.ema, world, writer) if training.ema else None
        finite = FiniteLossCallback(rows_of)
        callbacks = [
            finite,
            self._metrics,
            training_check,
            self._row_order,
            ScheduleCallback(plan, job.recorder),
            *([averages] if averages else []),
            seal,
            *([BudgetCallback(job)] if job.budget.is_bounded else []),
            StopCallback(job.stop, writer),
        ]
        if training.early_stopping_patience and arguments["do_eval"]:
            callbacks.append(EarlyStoppingCallback(training.early_stopping_patience))
        backward_steps = None
        if world.size == 1 and steps_in_backward(training, plan.launcher.name, plan.loop):
            backward_steps = BackwardStepCallback(job.training_check)
            callbacks.append(backward_steps)
        declare_loss_scaling(job.model)
        # transformers refuses to train on a quantized base without an adapter of peft's, a head in float32 too.
        vars(job.model).pop("is_quantized", None)
        try:
            self._trainer = instrumented(load_object(components.trainer_class))(
                model=job.model,
                args=load_object(components.arguments_class)(**{**arguments, **components.arguments}),
                data_collator=NumberedBatches(components.collate),
                train_dataset=job.data.train,
                eval_dataset=job.data.validation,
                processing_class=components.processing_class,
                compute_metrics=self._compute_metrics if components.score or components.compute_metrics else None,
                compute_loss_func=components.compute_loss,
                callbacks=callbacks,
            )
        except (ValueError, ImportError) as error:
            raise InputError(
                f"the training arguments do not fit: {' '.join(str(error).split())} (Correct the key it names.)"
            ) from error
        self._trainer.training_check_callback = training_check
        self._trainer.finite_losses = finite
        self._trainer.copies = CheckpointCopies(writer, world)
        self._trainer.averages = averages
        self._trainer.backward_steps = backward_steps
        use_named(self._trainer, training)
        self._trainer.rate_factors = job.rate_factors
        self._trainer.row_shares = components.shares
        self._trainer.weigh_loss = components.weigh_loss
        self._trainer.label_smoothing = components.label_smoothing
        self._trainer.preprocess_logits = components.preprocess_logits
        self._trainer.head = deferrable_head(job.model, self._trainer.all_logits) if training.chunked_loss else None
        self._trainer.encoder = encoder_of(job.model) if components.arguments.get("predict_with_generate") else None
        if training.lean_layers:
            self._trainer.lean_forwards = lean_forwards(job.model, recompute_mlp=training.recompute_mlp)
        if training.compile:
            self._trainer.compiled = CompiledBlocks(job.model, mixed=training.bf16 or training.fp16)
            self._trainer.warn = job.recorder.warn
        self._frozen = self._trainer.frozen = frozen_part_of(self._trainer, job, components)
        self._trainer.parts = parts_of(job.data)
        in_parts = any(split is job.data.validation for split, _ in self._trainer.parts)
        self._prepared_validation = None if in_parts else job.data.validation
        self._passes = passes_over(job)
        self._strategy = job.strategy
        self._trainer.prepare_evaluation = partial(job.strategy.prepare_evaluation, self)
        self._trainer.check_step = job.strategy.check_step
        self._stop, self._world, self._budget = job.stop, world, job.budget
        self._trainer.remove_callback(PrinterCallback)
        self._trainer.remove_callback(ProgressCallback)
        self._keeps_best = training.keep == "best"
        self._soup = None if ranking is None else TrainerSoup(job, self._trainer, ranking, self.evaluate)
        job.strategy.setup(self)

    def _compute_metrics(self, prediction: EvalPrediction) -> dict[str, float]:
        components, evaluated = self._components, self._trainer.evaluated
        if self._trainer.order is not None:
            prediction = restore_row_order(prediction, self._trainer.order)
        if components.score is not None:
            scores = components.score(prediction, evaluated)
        else:
            assert components.compute_metrics is not None
            scores = components.compute_metrics(prediction)
        self._trainer.reports_loss = "loss" in scores
        step, best = int(self._trainer.state.global_step), self._trainer.state.best_global_step
        if components.per_class is not None:
            self._classes.keep(components.per_class(prediction, evaluated), scores, step=step, best=best)
        subset_of = next((split for rows, split in self._data.subsets if rows is evaluated), None)
        # The whole split is evaluated with its parts; a data set of ALSO_EVALUATE is a whole of its own.
        found = [] if subset_of in _SPLITS else self._further_rows(evaluated)
        for rows in found:
            scores = {**scores, **rows.measure(numpy.arange(len(rows)))}
        if components.evaluated_rows is not None:
            found.insert(0, components.evaluated_rows(prediction, evaluated))
        found = [with_chosen(rows, self._chosen) for rows in found]
        for rows in found:
            scores = {**scores, **further_scores(rows, self._chosen, scores)}
        self._rows.keep(found, scores, step=step, best=best)
        if subset_of is None:
            require_fit(self._chosen, scores)
        return scores

    def _further_rows(self, evaluated: object) -> list[EvaluatedRows]:
        if self._components.further_rows is None:
            return []
        # With what mixed precision has put around its forward, which is evaluated too.
        model = self._trainer.accelerator.unwrap_model(self._trainer.model)
        rows = self._components.further_rows(model, self._data.split_of(evaluated))
        return [] if rows is None else [rows]

    def per_class(self, metrics: Mapping[str, float]) -> PerClass | None:
        """Return the results by class of the evaluation with these metrics, or None where there are none."""
        return self._classes.find(metrics, self._metrics.evaluations)

    def _brief_intervals(self, seed: int, metrics: Mapping[str, float]) -> Mapping[str, Interval]:
        return intervals_of(self.evaluated_rows(metrics), metrics, seed, BRIEF)

    def evaluated_rows(self, metrics: Mapping[str, float]) -> Sequence[EvaluatedRows]:
        """Return what the evaluation with these metrics found of each row; nothing where it was not kept."""
        return self._rows.find(metrics, self._metrics.evaluations) or ()

    @property
    def trainer(self) -> Trainer:
        """The Trainer, for launchers and their strategies."""
        return self._trainer

    def evaluate(self, split: Dataset[Any]) -> dict[str, float]:
        """Evaluate the current model on a split and return its metrics, `loss` among them."""
        if split is self._prepared_validation and self._passes:
            self._frozen.prepare(split, 2.0)  # before training and after it
        self._metrics.quiet = True
        try:
            return plain_metrics(self._trainer.evaluate(eval_dataset=split))
        finally:
            self._metrics.quiet = False

    def train(self, resume_from: Path | None) -> TrainResult:
        """Train from the beginning, or from a complete checkpoint.

        Raises:
            InputError: the model does not support what was asked for, a package is missing, or memory ran out.
        """
        trainer = self._trainer
        started = time.monotonic()
        self._frozen.prepare(self._data.train, self._passes)
        if trainer.args.eval_strategy != "no":
            self._frozen.prepare(self._prepared_validation, max(2.0, self._passes))
        computed = time.monotonic() - started
        self._strategy.prepare_training(self)
        if resume_from:
            self._row_order.resume(resume_from)
            self._budget.hold(fitted_steps(resume_from))
        shape = step_shape(resume_from) if resume_from else self._planned_shape
        keep_steps(self._trainer, self._seal, shape, self._world)
        try:
            with self._stop.heeded(self._world), self._writer.completed(alone=self._world.size == 1):
                outcome = trainer.train(resume_from_checkpoint=str(resume_from) if resume_from else None)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise MemoryRanOutError(
                f"out of memory at step {trainer.state.global_step}: lower BATCH_SIZE (and raise "
                "GRADIENT_ACCUMULATION_STEPS), or set GRADIENT_CHECKPOINTING: true."
            ) from error
        except ImportError as error:
            raise InputError(
                f"OPTIMIZER {trainer.args.optim}: {error} (Install it, or choose another OPTIMIZER.)"
            ) from error
        state = trainer.state
        averaged = time.monotonic()
        soup = self._soup.put_in() if self._soup is not None else None
        computed += time.monotonic() - averaged
        trained = float(outcome.metrics["train_runtime"])
        # The Trainer takes the rows of all planned steps for those of the steps that a budget left.
        share = state.max_steps / max(self._budget.planned_steps(state.max_steps), 1)
        samples = float(outcome.metrics["train_samples_per_second"]) * trained * share
        after = self._metrics.evaluations.get(self._final_step(state)) if soup is None else None
        trainer.batches.end(evaluates=after is None)
        return TrainResult(
            steps=state.global_step,
            seconds=trained + computed,
            samples_per_second=samples / (trained + computed),
            after=after,
            soup=soup,
        )

    def _final_step(self, state: TrainerState) -> int:
        """Return the step whose weights the model has after training: the best with KEEP: best, else the last."""
        last, best = int(state.global_step), int(state.best_global_step or 0)
        if not self._keeps_best or not best:
            return last
        if state.best_model_checkpoint and Path(state.best_model_checkpoint).is_dir():
            return best
        log.warning("the best checkpoint (step %d) was deleted: the model keeps the weights of step %d.", best, last)
        return last

    def unwrap_model(self) -> nn.Module:
        """Return the attached model without the Trainer's wrappers."""
        model: nn.Module = self._trainer.accelerator.unwrap_model(self._trainer.model, keep_fp32_wrapper=False)
        return model
