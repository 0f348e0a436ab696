"""What a loop may support."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from adapt_core.evaluation import Evaluated

if TYPE_CHECKING:
    from adapt_core.contracts import Loop
    from adapt_core.evaluated_rows import EvaluatedRows
    from adapt_core.evaluation import PerClass


@runtime_checkable
class SupportsPerClass(Protocol):
    """A loop that can say how each class did. Optional."""

    def per_class(self, metrics: Mapping[str, float]) -> PerClass | None:
        """Return the scores of each class in the evaluation that gave these metrics, or None. Evaluate nothing."""


@runtime_checkable
class SupportsEvaluatedRows(Protocol):
    """A loop that can say what an evaluation found of each row. Optional; intervals and kept predictions need it."""

    def evaluated_rows(self, metrics: Mapping[str, float]) -> Sequence[EvaluatedRows]:
        """Return the rows of the evaluation that gave these metrics; several where it predicts several things.

        Evaluate nothing. In several processes each has all rows.

        Returns:
            none where they were not kept.
        """


def kept_of(loop: Loop, metrics: Mapping[str, float]) -> Evaluated:
    """Return what a loop kept of the evaluation that gave these metrics."""
    return Evaluated(
        table=loop.per_class(metrics) if isinstance(loop, SupportsPerClass) else None,
        rows=loop.evaluated_rows(metrics) if isinstance(loop, SupportsEvaluatedRows) else (),
    )
