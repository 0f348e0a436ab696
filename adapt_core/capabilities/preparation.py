"""What a start takes: a method that is prepared or goes on from an adapter, and a task that gives it batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from torch import nn

    from adapt_core.contracts import AttachContext, TaskData


@runtime_checkable
class SupportsPreparation(Protocol):
    """A method whose start is computed once it is attached, from the model or from training data. Optional."""

    def preparation_rows(self) -> int | None:
        """Return how many training rows `prepare` looks at; 0 for none, None where there is nothing to prepare."""

    def prepare(self, model: nn.Module, batches: Sequence[Mapping[str, Any]]) -> None:
        """Change an attached model in place before it trains: its adapter, and the base where the start says so.

        It is called in every process with the same batches, before processes share the model, and again where a run is
        resumed: the same batches and random state give the same model. With the adapter disabled the model computes
        what the base did.

        Args:
            model: the attached model, with its weights.
            batches: keyword inputs of the base model, labels included, CPU tensors by name.

        Raises:
            InputError: the start does not suit this model or these batches.
        """


@runtime_checkable
class SupportsTrainingBatches(Protocol):
    """A task that can give rows of its training split as inputs of the base model. Optional."""

    def training_batches(self, model: nn.Module, data: TaskData, rows: int) -> list[Mapping[str, Any]]:
        """Return batches of at most `rows` evenly spaced training rows, the same at each call; nothing is drawn.

        Args:
            model: the base model, whose `forward` takes a batch as keywords.
            data: as `load_data` gave it.
            rows: at least 1.
        """


@runtime_checkable
class SupportsContinuation(Protocol):
    """A method that can train an adapter that it saved before (START_FROM). Optional."""

    def go_on(self, model: nn.Module, context: AttachContext, folder: Path) -> nn.Module:
        """Prepare a base model for training as `Method.attach` does, with the adapter that `save_adapter` wrote.

        Args:
            model: the plain base model.
            context: as of `attach`.
            folder: of the adapter.

        Returns:
            the module to train; before training it computes what the saved adapter on this base does.

        Raises:
            InputError: the folder is damaged, or its adapter is for another model.
        """
