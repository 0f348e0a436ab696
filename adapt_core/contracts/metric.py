"""A metric of predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


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
