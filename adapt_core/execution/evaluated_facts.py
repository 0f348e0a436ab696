"""What predictions take from the evaluation of the final weights: kept with the data's facts, held by the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from adapt_core.capabilities import SupportsEvaluatedFacts, kept_of
from adapt_core.contracts import Loop, Task, TaskData

if TYPE_CHECKING:
    from torch import nn


def keep_facts(task: Task, loop: Loop, data: TaskData, metrics: Mapping[str, float]) -> None:
    """Add to the data's facts what a task takes from the evaluation that gave these metrics, where it takes any."""
    if isinstance(task, SupportsEvaluatedFacts):
        data.facts = {**data.facts, **task.evaluated_facts(kept_of(loop, metrics), data)}


def hold_facts(task: Task, model: nn.Module, data: TaskData) -> None:
    """Write into the trained model what its predictions need of the data's facts."""
    if isinstance(task, SupportsEvaluatedFacts):
        task.hold_facts(model, data)
