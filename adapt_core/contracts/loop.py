"""The training loop of a task, the job that it does, and how processes share the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from adapt_core.config.plan import Plan
from adapt_core.contracts.data_check import Examples
from adapt_core.distributed.replicated import Replicated
from adapt_core.distributed.world import World
from adapt_core.evaluation import Statistic
from adapt_core.result_records import SoupRecord
from adapt_core.runtime.budget import Budget
from adapt_core.runtime.interrupts import StopRequest

if TYPE_CHECKING:
    from torch import nn

    from adapt_core.run_folder.paths import RunFolder
    from adapt_core.runtime.recorder import MetricRecorder
    from adapt_core.verification.training import TrainingCheck


@attrs.define(kw_only=True)
class TaskData:
    """The splits of a run, ready for the loop. Each is None where it is absent or not needed.

    Attributes:
        train, validation, test: map-style data sets of model inputs.
        labels: class names by id, where the task has classes.
        facts: what the model takes from the data beside the class names, JSON-ready. A run keeps both with its adapter,
            and `load_model` builds the same model from them alone, without splits.
        stats: statistics of the data for `result.json` and the log (rows, dropped rows, truncated share).
        rows: split -> the good raw rows that the split was made from, where the task keeps them (for samples).
        examples: returns split -> its examples as checks of the data see them, made when a check asks; None where the
            task shows none.
        findings: what a reader must know of the data before the metrics; warnings of the result and of `adapt check`.
        parts: validation or test -> name of each of several data sets -> its examples of that split: metrics are
            measured on them besides the whole.
        further: name of each data set of ALSO_EVALUATE -> its examples; `rows` has its rows as "also NAME".
        row_numbers: with FOLDS, validation -> the numbers of `rows` in the data, from 1.
        subsets: these examples as the loop evaluates them, each with its split.
    """

    train: Any = None
    validation: Any = None
    test: Any = None
    labels: tuple[str, ...] | None = None
    facts: Mapping[str, Any] = attrs.field(factory=dict)
    stats: dict[str, Statistic] = attrs.field(factory=dict)
    rows: Mapping[str, Any] = attrs.field(factory=dict)
    examples: Callable[[], Mapping[str, Examples]] | None = None
    findings: list[str] = attrs.field(factory=list)
    parts: Mapping[str, Mapping[str, range]] = attrs.field(factory=dict)
    further: Mapping[str, Any] = attrs.field(factory=dict)
    row_numbers: Mapping[str, Sequence[int]] = attrs.field(factory=dict)
    subsets: list[tuple[Any, str]] = attrs.field(factory=list)

    def split_of(self, examples: object) -> str:
        """Return which split examples are of: those of a split, or of one data set in it."""
        splits = [(getattr(self, split), split) for split in ("train", "validation", "test")]
        return next(split for taken, split in (*splits, *self.subsets) if taken is examples)


class Loop(Protocol):
    """A training loop over one model and its data, in one process of a run."""

    def evaluate(self, split: Any) -> dict[str, float]:
        """Return metrics of the model as it is, over all ranks. `split` is one of TaskData's."""

    def train(self, resume_from: Path | None) -> TrainResult:
        """Train from the beginning or from a checkpoint."""

    def unwrap_model(self) -> nn.Module:
        """Return the attached model without wrappers of the loop or launcher."""


@attrs.frozen(kw_only=True)
class TrainResult:
    """The outcome of training.

    Attributes:
        steps: optimizer steps done in all, those before a resume included.
        seconds: wall time of the training phase of this process, its evaluations included.
        samples_per_second: training examples a second over all ranks.
        after: metrics of the final weights, where an evaluation of exactly these weights was made; else None.
        soup: what KEEP: soup averaged; None without it.
    """

    steps: int
    seconds: float
    samples_per_second: float
    after: dict[str, float] | None = None
    soup: SoupRecord | None = None


class ParallelStrategy(Protocol):
    """The strategy by which the processes of a run hold and step one model. The launcher makes it, in each process.

    A loop calls `setup` once it is built, `prepare_evaluation` and `prepare_training` before each of these, and
    `check_step` with the module that it trains. Each process must call them in the same order.
    """

    def setup(self, loop: Loop) -> None:
        """Adjust a loop whose model is complete in each process.

        Raises:
            InputError: the model cannot be trained this way.
        """

    def prepare_evaluation(self, loop: Loop) -> None:
        """Make the model ready for forward passes and for `generate`. It may have been prepared before."""

    def prepare_training(self, loop: Loop) -> None:
        """Make the model ready for training, evaluated before or not."""

    def check_step(self, model: nn.Module) -> None:
        """Check the module that a training step calls.

        Raises:
            DefectError: the processes would train separate models.
        """

    def gather_model(self, model: nn.Module) -> nn.Module:
        """Return the trained model with complete parameters, on rank 0 at least."""


@attrs.define(kw_only=True)
class Job:
    """The work of one process: everything a loop needs, and nothing of other processes.

    A loop trains the steps that `budget` fits, where it is bounded, and multiplies the learning rate of each parameter
    in `rate_factors`, by its name in `model`, with what stands there (HEAD_LR, LAYER_LR_DECAY).
    """

    plan: Plan
    world: World
    data: TaskData
    model: nn.Module
    folder: RunFolder
    recorder: MetricRecorder
    training_check: TrainingCheck
    stop: StopRequest = attrs.field(factory=StopRequest)
    budget: Budget = attrs.field(factory=Budget)
    rate_factors: Mapping[str, float] = attrs.field(factory=dict)
    strategy: ParallelStrategy = attrs.field(default=attrs.Factory(lambda job: Replicated(job.world), takes_self=True))
