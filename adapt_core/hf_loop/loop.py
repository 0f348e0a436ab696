"""The loop "hf": one Trainer for one job."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import SequentialSampler
from transformers import EarlyStoppingCallback, PrinterCallback, ProgressCallback

from adapt_core.contracts import Job, Trained
from adapt_core.errors import InputError
from adapt_core.extras import PerClass
from adapt_core.hf_loop.arguments import load, training_arguments
from adapt_core.hf_loop.callbacks import Figures, ProofOfLearning, SealCheckpoints, plain_metrics
from adapt_core.hf_loop.parts import LoopParts


def watched(trainer_class: type) -> type:
    """A Trainer class that shows each training loss to the proof of learning, and is otherwise the same.

    It evaluates rows in their order (transformers shuffles them where training groups by length) and keeps the data
    set that it evaluates as `evaluated`, so that predictions can be held against rows.
    """

    class Watched(trainer_class):
        proof_of_learning: ProofOfLearning
        evaluated: Any = None

        def get_eval_dataloader(self, eval_dataset: Any = None) -> Any:
            self.evaluated = self.eval_dataset if eval_dataset is None else eval_dataset
            return super().get_eval_dataloader(eval_dataset)

        def _get_eval_sampler(self, eval_dataset: Any) -> Any:
            return SequentialSampler(eval_dataset) if self.args.world_size <= 1 else None

        def training_step(self, *args: Any, **kwargs: Any) -> torch.Tensor:
            loss: torch.Tensor = super().training_step(*args, **kwargs)
            self.proof_of_learning.see_loss(loss)
            return loss

    Watched.__name__ = trainer_class.__name__
    return Watched


class HuggingFaceLoop:
    """Trains and evaluates with transformers' Trainer (or a subclass that the task names).

    Raises:
        InputError: the arguments do not fit together, or an optional part (an optimizer's package) is missing.
    """

    def __init__(self, job: Job, parts: LoopParts) -> None:
        # The tokenizers have done their work; a pool of their threads would only disturb the data workers' fork.
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        plan, world = job.plan, job.world
        self._parts = parts
        self._classes: dict[tuple[tuple[str, float], ...], PerClass] = {}
        training = plan.training
        arguments = training_arguments(
            plan, world, job.folder.checkpoints, parts.metrics, job.data.validation is not None
        )
        self._figures = Figures(job.relay, world, training.batch_size * training.gradient_accumulation_steps)
        proof = ProofOfLearning(job.proof)
        callbacks = [self._figures, proof, SealCheckpoints(world)]
        if training.early_stopping_patience and arguments["do_eval"]:
            callbacks.append(EarlyStoppingCallback(training.early_stopping_patience))
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
        self._trainer.proof_of_learning = proof
        self._trainer.remove_callback(PrinterCallback)
        self._trainer.remove_callback(ProgressCallback)
        self._accepts_best = training.keep == "best"

    def _scored(self, prediction: Any) -> dict[str, float]:
        parts, evaluated = self._parts, self._trainer.evaluated
        if parts.score is not None:
            scores = parts.score(prediction, evaluated)
        else:
            assert parts.compute_metrics is not None
            scores = parts.compute_metrics(prediction)
        if parts.per_class is not None:
            self._classes[tuple(scores.items())] = parts.per_class(prediction, evaluated)
        return scores

    def per_class(self, metrics: Mapping[str, float]) -> PerClass | None:
        """How each class did in the evaluation that gave these metrics."""
        return next(
            (
                table
                for scores, table in reversed(self._classes.items())
                if all(metrics.get(name) == value for name, value in scores)
            ),
            None,
        )

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

    def train(self, resume_from: Path | None) -> Trained:
        """Trains, from a whole checkpoint on where one is given.

        Raises:
            InputError: the model does not support what was asked for, a package is missing, or memory ran out.
        """
        trainer = self._trainer
        try:
            outcome = trainer.train(resume_from_checkpoint=str(resume_from) if resume_from else None)
        except (torch.OutOfMemoryError, MemoryError) as error:
            raise InputError(
                f"out of memory at step {trainer.state.global_step}: lower BATCH_SIZE (and raise "
                "GRADIENT_ACCUMULATION_STEPS), or set GRADIENT_CHECKPOINTING: true."
            ) from error
        except ImportError as error:
            raise InputError(f"OPTIMIZER {trainer.args.optim}: {error}") from error
        state = trainer.state
        final = state.best_global_step if self._accepts_best and state.best_global_step else state.global_step
        return Trained(
            steps=state.global_step,
            seconds=float(outcome.metrics["train_runtime"]),
            samples_per_second=float(outcome.metrics["train_samples_per_second"]),
            after=self._figures.evaluations.get(final),
        )

    def plain_model(self) -> nn.Module:
        """The attached model without the Trainer's wrappers."""
        model: nn.Module = self._trainer.accelerator.unwrap_model(self._trainer.model, keep_fp32_wrapper=False)
        return model
