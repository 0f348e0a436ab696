"""A metric of predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray


class Metric(Protocol):
    """A metric of predictions, as METRICS names it: a function, or an object that is called as one."""

    def __call__(self, predicted: Sequence[Any], expected: Sequence[Any]) -> float | Mapping[str, float]:
        """Return the value of the metric, or one for each of the figures that its spec names.

        It is asked about all rows of an evaluation and about samples of them, in which a row may come several times,
        and answers the same for the same rows.

        Args:
            predicted: of each row, at least one. class: a name; labels: a list of names; numbers: a list of floats;
                tags: the tag of each word; text and answer: a text.
            expected: of each row, likewise; answer: the list of accepted texts, empty where there is no answer.
        """


@runtime_checkable
class SupportsTaskParams(Protocol):
    """A metric that takes something of the task that it scores, such as the language of its texts. Optional."""

    def of_task(self, params: Any) -> Metric:
        """Return the metric as it scores a task.

        Args:
            params: of the task.
        """


@runtime_checkable
class SupportsCounts(Protocol):
    """A metric of all rows together that follows from the sums of what each row adds to some counts. Optional.

    Its name is one that `adapt_core.uncertainty.corpus_scores` has the formula of: samples of rows are then measured in
    no time, and runs are tested against one another.
    """

    def counts(self, predicted: Sequence[Any], expected: Sequence[Any]) -> NDArray[numpy.int64]:
        """Return what each row adds to the counts (rows, counts)."""
