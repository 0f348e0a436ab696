"""Scores of generated texts that are known for any sample of the rows, once each row has been looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Protocol

import attrs
import numpy

from adapt_core.evaluated_rows import sums

if TYPE_CHECKING:
    from numpy.typing import NDArray


class RowScores(Protocol):
    """The scores of texts."""

    @property
    def values(self) -> Mapping[str, NDArray[numpy.float64]]:
        """The metrics that are means over the rows -> what each row has (rows,)."""

    @property
    def counted(self) -> Mapping[str, NDArray[numpy.int64]]:
        """The metrics of all texts together -> what each row adds to their counts; see `EvaluatedRows`."""

    def scores(self) -> dict[str, float]:
        """Return the metrics of all rows."""

    def measure(self, sample: NDArray[numpy.intp]) -> dict[str, float]:
        """Return the metrics of a sample of the rows: their positions, some several times."""


@attrs.frozen(eq=False)
class Means:
    """Metrics that are means over the rows."""

    values: Mapping[str, NDArray[numpy.float64]]
    counted: Mapping[str, NDArray[numpy.int64]] = attrs.field(factory=dict)

    def scores(self) -> dict[str, float]:
        """Return the metrics of all rows; 0 where there are none."""
        return {name: fmean(each) if len(each) else 0.0 for name, each in self.values.items()}

    def measure(self, sample: NDArray[numpy.intp]) -> dict[str, float]:
        """Return the metrics of a sample of the rows."""
        return {name: float(each[sample].mean()) for name, each in self.values.items()}


@attrs.frozen(eq=False)
class Bleu:
    """BLEU of texts whose n-grams are counted row by row.

    Attributes:
        name: of the metric.
        counts: int (rows, 2 + 2 n): tokens of the prediction and of the reference, n-grams of the prediction that the
            reference has, by order, and all n-grams of the prediction.
        smoothing: sacrebleu's name of it.
        scale: that the score from 0 to 100 is divided by.
    """

    name: str
    counts: NDArray[numpy.int64]
    smoothing: str
    scale: float = 1.0
    values: Mapping[str, NDArray[numpy.float64]] = attrs.field(factory=dict)

    @property
    def counted(self) -> Mapping[str, NDArray[numpy.int64]]:
        """The counts of each row."""
        return {self.name: self.counts}

    def scores(self) -> dict[str, float]:
        """Return the metric of all rows."""
        return self._of(self.counts.sum(axis=0))

    def measure(self, sample: NDArray[numpy.intp]) -> dict[str, float]:
        """Return the metric of a sample of the rows."""
        return self._of(sums(self.counts, sample).astype(int))

    def _of(self, totals: Sequence[int] | NDArray[numpy.int64]) -> dict[str, float]:
        from sacrebleu.metrics.bleu import BLEU

        own, wanted, *grams = (int(total) for total in totals)
        order = len(grams) // 2
        found = BLEU.compute_bleu(
            grams[:order], grams[order:], own, wanted, smooth_method=self.smoothing, max_ngram_order=order
        )
        return {self.name: float(found.score) / self.scale}
