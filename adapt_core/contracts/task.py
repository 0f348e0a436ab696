"""One thing that models are adapted for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from adapt_core.config.plan import ParamsT, Plan
from adapt_core.contracts.loop import Job, Loop, TaskData
from adapt_core.contracts.model import LoadedModel, Quantizer
from adapt_core.distributed.world import World

if TYPE_CHECKING:
    from torch import nn


class Task(Protocol[ParamsT]):
    """One thing that models are adapted for. Constructed with the plan, before torch is imported."""

    def __init__(self, plan: Plan[ParamsT]) -> None: ...

    def check(self) -> None:
        """Check cheaply, without torch, that data and model can be used: files there, folders complete.

        Raises:
            InputError: with what is missing and what to do.
        """

    def load_data(self) -> TaskData:
        """Load, validate and preprocess the splits that the run needs.

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
