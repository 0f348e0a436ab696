"""What implementations may answer besides their contract: where one of these is absent, adapt leaves that part out.

The report shows samples and classes, `adapt check` counts and previews.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import attrs

if TYPE_CHECKING:
    from torch import nn

    from adapt_core.contracts import LoadedModel, TaskData


@attrs.frozen(kw_only=True)
class PerClass:
    """What one evaluation says of each class.

    Attributes:
        labels: class names, in the order of all that follows.
        figures: a figure's name ("precision", "ap") to one number for each class.
        confusion: counts, a row for each true class and a column for each predicted one; None where that has no
            meaning, or where there are too many classes for a table.
    """

    labels: tuple[str, ...]
    figures: Mapping[str, Sequence[float]] = attrs.field(factory=dict)
    confusion: Sequence[Sequence[int]] | None = None


@runtime_checkable
class TellsClasses(Protocol):
    """A loop that can say how each class did. Optional."""

    def per_class(self, metrics: Mapping[str, float]) -> PerClass | None:
        """What the evaluation that gave these metrics says of each class, or None. Nothing is evaluated again."""


@runtime_checkable
class ShowsSamples(Protocol):
    """A task that shows what a model makes of a few validation rows, before and after training. Optional."""

    def samples(self, model: nn.Module, data: TaskData, count: int) -> list[dict[str, Any]]:
        """At most `count` validation rows, the same ones at each call: {"input", "expected", "predicted"}.

        A value is text, a mapping of names to texts, a list of [word, tag] pairs, or a picture as a
        "data:image/png;base64,..." text.

        Args:
            model: the attached model, in evaluation mode, on its device.
            data: what `load_data` returned.
            count: how many rows.
        """


@runtime_checkable
class LoadsStructure(Protocol):
    """A task that knows a model's structure without its weights. Optional; `adapt check` counts with it."""

    def load_structure(self, data: TaskData) -> LoadedModel:
        """What `load_model` would load, unquantized, with every tensor on the device "meta"."""


@runtime_checkable
class ShowsBatches(Protocol):
    """A task that shows what its model will see. Optional; `adapt check` uses it."""

    def largest_batch(self, data: TaskData) -> Mapping[str, Any]:
        """A training batch of BATCH_SIZE of the longest examples, as the model takes it: CPU tensors by name."""

    def seen_by_model(self, data: TaskData, count: int) -> list[list[tuple[str, str]]]:
        """At most `count` training examples as (token, label) pairs; a label that stands for all comes last, with no
        token. A label is empty where the token has none.
        """

    def class_counts(self, data: TaskData) -> Mapping[str, int]:
        """Training examples (or words) of each class; empty where the task has no classes."""


@runtime_checkable
class CountsBytes(Protocol):
    """A quantizer that knows beforehand what its layers will take. Optional; `adapt check` uses it."""

    def quantized_bytes(self, model: nn.Module, skip: Sequence[str]) -> Mapping[str, int]:
        """Bytes of each parameter of a plain model that will be quantized, its statistics included.

        Args:
            model: not quantized; its tensors may be on the device "meta".
            skip: names of modules that stay in full precision (the head).
        """
