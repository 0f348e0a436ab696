"""KEEP: soup on a Trainer: its checkpoints, evaluations and training batches, for the greedy average."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from typing import Any

from torch import nn
from transformers import Trainer

from adapt_core.contracts import Job
from adapt_core.distributed.agreement import of_rank_0
from adapt_core.errors import InputError
from adapt_core.nn.random_state import seed_everything, untouched_random_state
from adapt_core.nn.soup import Kitchen, count_norm_batches, greedy_soup, trained_names
from adapt_core.result_records import SoupRecord
from adapt_core.run_folder.ranking import Ranking


class TrainerSoup:
    """The soup of one Trainer.

    Attributes:
        job, ranking, evaluate: see below.

    Args:
        job: of the run.
        trainer: of the job (see `instrumented`).
        ranking: of its checkpoints.
        evaluate: returns the metrics of the model as it is on the validation split.

    Raises:
        InputError: there is no validation split.
    """

    def __init__(
        self, job: Job, trainer: Trainer, ranking: Ranking, evaluate: Callable[[Any], Mapping[str, float]]
    ) -> None:
        if job.data.validation is None:
            raise InputError("KEEP: soup chooses by a validation split, and there is none. Give one, or KEEP: last.")
        self.job, self.ranking, self.evaluate = job, ranking, evaluate
        self._trainer: Any = trainer
        self._trained = trained_names(job.model)

    def put_in(self) -> SoupRecord | None:
        """Put the average into the model; return None, with a warning, where no checkpoint was evaluated.

        Nothing of it depends on where training was resumed.
        """
        job, world, ranking = self.job, self.job.world, self.ranking
        ranked = of_rank_0(world, ranking.complete() if world.is_main else [])
        if not ranked:
            job.recorder.warn(["KEEP: soup found no evaluated checkpoint: the run ends with its last weights."])
            return None
        kitchen = Kitchen(
            model=self._model,
            trained=self._trained,
            load=self.load,
            evaluate=lambda: of_rank_0(world, self.evaluate(job.data.validation)[ranking.metric]),
            run_batches=self._run_batches,
            is_better=ranking.is_better,
        )
        return greedy_soup(kitchen, ranked).to_record(ranking.metric, ranking.direction)

    def load(self, step: int) -> None:
        """Load what a run would keep of the checkpoint of a step."""
        self._trainer.load_kept(self.ranking.folder_of(step))

    @property
    def _model(self) -> nn.Module:
        model: nn.Module = self._trainer.accelerator.unwrap_model(self._trainer.model, keep_fp32_wrapper=False)
        return model

    def _run_batches(self) -> None:
        """Run the model on training batches: the same ones for every average, augmented as in training."""
        trainer, training = self._trainer, self.job.plan.training
        with untouched_random_state():
            seed_everything(training.seed)
            with self._batches() as batches:
                for batch in islice(batches, count_norm_batches(training.batch_size)):
                    inputs = trainer._prepare_inputs(batch)
                    with trainer.frozen.replayed(inputs, trainer.train_dataset) as given:
                        trainer.compute_loss(trainer.model, given)

    @contextmanager
    def _batches(self) -> Iterator[Any]:
        rows = self._trainer.train_dataset
        if hasattr(rows, "set_epoch"):
            rows.set_epoch(0)
        loaders = self._trainer.accelerator._dataloaders
        before = len(loaders)
        try:
            yield self._trainer.get_train_dataloader()
        finally:
            del loaders[before:]  # as after an evaluation
