"""The protocols of a plugin's implementations.

The pipeline (`adapt_core.execution.pipeline`) knows these five protocols and nothing else of any plugin. Methods know
nothing of tasks, tasks nothing of methods, neither of launchers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from adapt_core.config.plan import ParamsT, Plan
from adapt_core.distributed.replicated import Replicated
from adapt_core.distributed.world import World
from adapt_core.runtime.interrupts import StopRequest

if TYPE_CHECKING:
    from torch import nn

    from adapt_core.result import RunResult
    from adapt_core.run_folder.paths import RunFolder
    from adapt_core.run_folder.resume import ResumeDecision
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
    """

    train: Any = None
    validation: Any = None
    test: Any = None
    labels: tuple[str, ...] | None = None
    facts: Mapping[str, Any] = attrs.field(factory=dict)
    stats: dict[str, Any] = attrs.field(factory=dict)
    rows: Mapping[str, Any] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class LoadedModel:
    """A base model in memory.

    Attributes:
        model: the module, in training precision, quantized where that was asked for.
        new_parameters: full names of parameters that the checkpoint did not hold (a fresh classifier).
        dtype: the name of the weights' data type ("float32").
    """

    model: nn.Module
    new_parameters: frozenset[str] = frozenset()
    dtype: str = "float32"


@attrs.frozen(kw_only=True)
class AttachContext:
    """The base model's facts that a method attaches by.

    Attributes:
        head: full names of the head's modules, as the task found them.
        new_parameters: full names of parameters that the checkpoint did not hold; they train under any method.
        train_head: whether the head trains in addition to an adapter.
        quantized: whether the base model's weights are quantized.
    """

    head: tuple[str, ...] = ()
    new_parameters: frozenset[str] = frozenset()
    train_head: bool = True
    quantized: bool = False

    def trains(self, parameter: str) -> bool:
        """Return whether a parameter trains whatever the method: a new one, or the head's where the head trains."""
        if parameter in self.new_parameters:
            return True
        return self.train_head and any(parameter == m or parameter.startswith(f"{m}.") for m in self.head)


class Quantizer(Protocol[ParamsT]):
    """Puts a base model into fewer bits. Constructed with its params instance."""

    def __init__(self, params: ParamsT) -> None: ...

    def hf_options(self, skip: Sequence[str], device: str) -> Mapping[str, Any]:
        """Keyword arguments for a Hugging Face `from_pretrained`.

        Args:
            skip: names of modules that stay in full precision (the head).
            device: where the model will live.
        """

    def convert(self, model: nn.Module, skip: Sequence[str], device: str) -> nn.Module:
        """Quantize the layers of any module in place and return it.

        Raises:
            InputError: the model has no layer that can be quantized.
        """

    def prepare(self, model: nn.Module, gradient_checkpointing: bool) -> nn.Module:
        """Make a quantized model ready to train an adapter on (norms, input gradients)."""

    def dequantize(self, model: nn.Module) -> nn.Module:
        """Replace the quantized layers by plain float32 ones that compute the same; return the model.

        Methods call it to merge: an adapter is not merged into rounded weights. Adapters attach to quantized layers
        that are subclasses of `torch.nn.Linear`.
        """


class Method(Protocol[ParamsT]):
    """Decides which parameters of a model train. Constructed with its params instance."""

    def __init__(self, params: ParamsT) -> None: ...

    def attach(self, model: nn.Module, context: AttachContext) -> nn.Module:
        """Prepare a model for training: freeze it, add an adapter, or both. Return the module to train.

        Raises:
            InputError: the method cannot serve this model, or a parameter names nothing in it.
        """

    def trainable_groups(self, model: nn.Module) -> Mapping[str, Sequence[str]]:
        """Return the parameters that should train, by group ("adapter", "head", ...): full names in the attached model.

        A group without a moving tensor stops the run.
        """

    def disable_adapter(self, model: nn.Module) -> AbstractContextManager[Any]:
        """Return a context in which the model computes what the base model with its new head would."""

    def save_adapter(self, model: nn.Module, folder: Path) -> bool:
        """Write what the method added into a folder, in peft's format; False where it added nothing."""

    def load_adapter(self, model: nn.Module, folder: Path) -> nn.Module:
        """Attach the adapter that `save_adapter` wrote to a plain base model."""

    def merge(self, model: nn.Module, quantizer: Quantizer | None) -> nn.Module:
        """Return the trained model without any class of the method or the quantizer.

        Args:
            model: the attached model.
            quantizer: what quantized the base model, and can dequantize it; None for a base in float.

        Raises:
            InputError: the model cannot be merged; the message gives the reason.
        """


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
    """

    steps: int
    seconds: float
    samples_per_second: float
    after: dict[str, float] | None = None


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
    """The work of one process: everything a loop needs, and nothing of other processes."""

    plan: Plan
    world: World
    data: TaskData
    model: nn.Module
    folder: RunFolder
    recorder: MetricRecorder
    training_check: TrainingCheck
    stop: StopRequest = attrs.field(factory=StopRequest)
    strategy: ParallelStrategy = attrs.field(default=attrs.Factory(lambda job: Replicated(job.world), takes_self=True))


class Task(Protocol[ParamsT]):
    """One thing that models are adapted for. Constructed with the plan, before torch is imported."""

    def __init__(self, plan: Plan[ParamsT]) -> None: ...

    def check(self) -> None:
        """Cheap checks of data and model that need no torch: files there, folders complete.

        Raises:
            InputError: with what is missing and what to do.
        """

    def load_data(self) -> TaskData:
        """Loads, validates and preprocesses the splits that the run needs.

        Raises:
            DataError: naming the file, row and column at fault.
        """

    def load_model(self, data: TaskData, quantizer: Quantizer | None, world: World) -> LoadedModel:
        """Load the base model, with a head for the data's labels.

        Args:
            data: what `load_data` returned; of a finished run its `labels`, `facts` and `stats`, without rows.
            quantizer: quantizes the model, or None.
            world: the process.

        Raises:
            InputError: the model cannot be found or loaded, or does not fit the task.
        """

    def head(self, model: nn.Module) -> tuple[str, ...]:
        """Return full names of the modules that make up the head of a plain (not attached) model."""

    def trains_head_by_default(self, loaded: LoadedModel) -> bool:
        """Return whether the head trains in addition to an adapter where LAST_LAYER_TUNING does not say."""

    def make_loop(self, job: Job) -> Loop:
        """Return the loop that trains this task, built for a job."""

    def save_model(self, model: nn.Module, folder: Path, save_method: str) -> None:
        """Write a plain model and what loading it needs (config, tokenizer or processor, label map)."""

    def load_model_folder(self, folder: Path) -> nn.Module:
        """Return the plain model that `save_model` wrote, on the CPU, in evaluation mode."""

    def loading_lines(self, save_method: str) -> str:
        """Return Python source that loads `model/` without adapt; run in the run folder, it leaves `model` defined."""

    def predict(self, model: nn.Module, folder: Path, inputs: Iterable[Any]) -> list[dict[str, Any]]:
        """Return predictions of an adapted model on raw inputs, one JSON-ready mapping each, in their order.

        Args:
            model: what `load_model_folder` returned (or an attached one).
            folder: the `model/` folder, for tokenizer or processor and labels.
            inputs: raw texts, paths or rows, as `read_inputs` yields them.
        """

    def read_inputs(self, arguments: Sequence[str]) -> list[Any]:
        """Return the raw inputs that command-line arguments mean: texts, or files of the kinds the task reads."""


class Work(Protocol):
    """A run in this process, ready for a launcher to call."""

    def __call__(self, world: World, decision: ResumeDecision) -> RunResult:
        """Execute the run as one process of a world and return its result."""


class Launcher(Protocol[ParamsT]):
    """Starts the processes of a run. Constructed with its params instance."""

    def __init__(self, params: ParamsT) -> None: ...

    def check(self, plan: Plan) -> None:
        """Refuse what this machine or plan cannot do, before any process starts.

        Raises:
            InputError: with the reason.
        """

    def is_coordinator(self) -> bool:
        """Return whether this command locks and writes the run folder: False on machines other than the first.

        Asked first of all, without torch.
        """

    def launch(self, plan: Plan, work: Work, decision: ResumeDecision | None) -> RunResult:
        """Run a plan in every process and return rank 0's result.

        The processes are this one, which calls `work`, or those of
        `python -m adapt_core.execution.worker`, which read `adapt_core.execution.worker.message` from standard input.

        Args:
            plan: the plan.
            work: the whole run in this process.
            decision: how the run enters its folder; None where this command does not lead.
        """

    def process_group(self, world: World) -> AbstractContextManager[Any]:
        """Called first in each worker process: a context in which it belongs to the run (its process group)."""

    def parallel_strategy(self, world: World) -> ParallelStrategy:
        """Return how this process shares the model with the others, for the loop.

        `adapt_core.distributed.replicated.Replicated` serves where each process holds a complete model.
        """

    def verify(self, loop: Loop, world: World) -> None:
        """Check the loop in each process, once it is built.

        Raises:
            DefectError: the loop does not run as this launcher asked (say, unsharded).
        """
