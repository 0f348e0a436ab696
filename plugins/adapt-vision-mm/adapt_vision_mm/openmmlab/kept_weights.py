"""The weights that a run ends with: the last, those of the best checkpoint, or KEEP: soup, an average of several."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

import attrs
import torch
from torch import nn
from torch.utils.data import DataLoader

from adapt_core.contracts import Job
from adapt_core.distributed.agreement import of_rank_0
from adapt_core.errors import InputError
from adapt_core.nn.random_state import seed_everything, untouched_random_state
from adapt_core.nn.soup import Kitchen, count_norm_batches, greedy_soup, trained_names
from adapt_core.result_records import SoupRecord
from adapt_core.run_folder.ranking import Ranking

from adapt_vision_mm.openmmlab import checkpoints
from adapt_vision_mm.openmmlab.progress import Progress

if TYPE_CHECKING:
    from adapt_vision_mm.openmmlab.contracts import MmDataset

log = logging.getLogger(__name__)


def ranking_of(job: Job, metrics: Mapping[str, str]) -> Ranking:
    """Return the ranking of a run's checkpoints by METRIC_FOR_BEST, or the first metric.

    Args:
        job: of the run.
        metrics: of the task, each with whether "higher" or "lower" is better.

    Raises:
        InputError: KEEP: soup has no validation split to choose by.
    """
    training = job.plan.training
    if training.keep == "soup" and job.data.validation is None:
        raise InputError("KEEP: soup chooses by a validation split, and there is none. Give one, or KEEP: last.")
    known = {**metrics, "loss": "lower"}
    folded = (training.metric_for_best or next(iter(metrics))).removeprefix("eval_").casefold()
    name = next(name for name in known if name.casefold() == folded)
    return Ranking(job.folder, name, known[name], training.no_of_checkpoints)


@attrs.frozen(kw_only=True)
class Ended:
    """How training ended.

    Attributes:
        after: metrics of the weights that the model has now, where exactly these were evaluated; else None.
        soup: what KEEP: soup averaged.
    """

    after: dict[str, float] | None = None
    soup: SoupRecord | None = None


@attrs.frozen(kw_only=True)
class KeptWeights:
    """Puts the weights of KEEP into the model of a run that has trained.

    Attributes:
        job: of the run.
        progress: where it ended.
        ranking: of its checkpoints.
        evaluate: returns the metrics of the model as it is on a split.
        training_loader: makes the loader of training batches.
    """

    job: Job
    progress: Progress
    ranking: Ranking
    evaluate: Callable[[MmDataset], Mapping[str, float]]
    training_loader: Callable[[], DataLoader[dict[str, Any]]]

    def put_in(self) -> Ended:
        """Put them in; every process must call it."""
        progress = self.progress
        keep = self.job.plan.training.keep
        soup = self._soup() if keep == "soup" else None
        if soup is not None:
            return Ended(soup=soup)
        if keep == "best" and progress.best_step not in (None, progress.step):
            assert progress.best_step is not None
            self.load(progress.best_step)
            log.info("KEEP best: the weights of step %d", progress.best_step)
            return Ended()
        if progress.last_evaluation is not None and progress.last_evaluation[0] == progress.step:
            return Ended(after=progress.last_evaluation[1])
        return Ended()

    def load(self, step: int) -> None:
        """Load what a run would keep of the checkpoint of a step."""
        state = checkpoints.read(self.job.folder.checkpoints / f"checkpoint-{step}")
        checkpoints.load_evaluated_state(self.job.model, state)

    def _soup(self) -> SoupRecord | None:
        job, ranking, model = self.job, self.ranking, self.job.model
        world = job.world
        ranked = of_rank_0(world, ranking.complete() if world.is_main else [])
        if not ranked:
            job.recorder.warn(["KEEP: soup found no evaluated checkpoint: the run ends with its last weights."])
            return None
        kitchen = Kitchen(
            model=model,
            trained=trained_names(model),
            load=self.load,
            evaluate=lambda: of_rank_0(world, self.evaluate(job.data.validation)[ranking.metric]),
            run_batches=lambda: self._run_batches(model),
            is_better=ranking.is_better,
        )
        return greedy_soup(kitchen, ranked).to_record(ranking.metric, ranking.direction)

    def _run_batches(self, given: nn.Module) -> None:
        """Run the model on training batches: those of the first epoch, for every average the same."""
        model: Any = given
        training = self.job.plan.training
        with untouched_random_state(), torch.no_grad():
            seed_everything(training.seed)
            for batch in islice(self.training_loader(), count_norm_batches(training.batch_size)):
                model._run_forward(model.data_preprocessor(batch, True), mode="loss")
