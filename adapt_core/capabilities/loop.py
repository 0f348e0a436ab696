"""What a loop may support."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from adapt_core.evaluation import PerClass


@runtime_checkable
class SupportsPerClass(Protocol):
    """A loop that can say how each class did. Optional."""

    def per_class(self, metrics: Mapping[str, float]) -> PerClass | None:
        """Return the scores of each class in the evaluation that gave these metrics, or None. Evaluate nothing."""
