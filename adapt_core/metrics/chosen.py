"""The metrics of a plan: imported before training, and asked about the rows of each evaluation."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import attrs

from adapt_core.config.plan import MetricChoice, Plan
from adapt_core.contracts.metric import Metric, SupportsCounts, SupportsTaskParams
from adapt_core.errors import DefectError, InputError
from adapt_core.evaluated_rows import EvaluatedRows, sums
from adapt_core.plugin.import_strings import load_object
from adapt_core.plugin.params import NoParams
from adapt_core.uncertainty.corpus_scores import FORMULAS

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    from adapt_core.evaluated_rows import Addends


_COST = 200.0
"""Of chosen metrics that are asked about each sample anew; see `EvaluatedRows.cost`."""


@attrs.frozen
class ChosenMetric:
    """One of METRICS, ready to be asked."""

    choice: MetricChoice
    metric: Metric

    @classmethod
    def of(cls, choice: MetricChoice) -> ChosenMetric:
        """Import a metric, and construct it where it is a class.

        Raises:
            DefectError: it cannot be imported or constructed; the message names its plugin.
            InputError: as its class raises it where a parameter is at fault.
        """
        try:
            found = load_object(choice.implementation)
            if isinstance(found, type):
                found = found() if isinstance(choice.params, NoParams) else found(choice.params)
        except InputError:
            raise
        except Exception as error:  # a plugin's module can raise anything
            raise DefectError(
                f"metric {choice.name!r} of {choice.distribution} {choice.version} cannot be used: "
                f"{type(error).__name__}: {error}."
            ) from error
        return cls(choice, found)

    def of_task(self, params: object) -> ChosenMetric:
        """Return the metric as it scores a task with these params."""
        if not isinstance(self.metric, SupportsTaskParams):
            return self
        return attrs.evolve(self, metric=self.metric.of_task(params))

    def values(self, predicted: Sequence[object], expected: Sequence[object]) -> dict[str, float]:
        """Return the figures of the metric; each is NaN where there are no rows.

        Raises:
            DefectError: the metric raises, or returns something else than the figures that its spec names.
        """
        names = self.choice.figures
        if not len(predicted):
            return dict.fromkeys(names, math.nan)
        try:
            found = self.metric(predicted, expected)
            values = found if isinstance(found, Mapping) else {names[0]: found}
            return {name: float(values[name]) for name in names}
        except Exception as error:
            raise DefectError(
                f"metric {self.choice.name!r} of {self.choice.distribution} {self.choice.version} failed: "
                f"{type(error).__name__}: {error}. It must return {', '.join(names)} as numbers."
            ) from error


def chosen_metrics(plan: Plan) -> list[ChosenMetric]:
    """Return the metrics of a plan, imported.

    Raises:
        DefectError, InputError: see `ChosenMetric.of`.
    """
    return [ChosenMetric.of(choice).of_task(plan.task.params) for choice in plan.metrics]


def require_fit(chosen: Iterable[ChosenMetric], scores: Mapping[str, float]) -> None:
    """Check that an evaluation has each of METRICS: what a run predicts may be known only once its data is read.

    Args:
        chosen: the metrics of a plan.
        scores: of its first evaluation.

    Raises:
        InputError: one of them is not there.
    """
    for one in chosen:
        if not set(one.choice.figures) <= set(scores):
            kinds = " or ".join(one.choice.kinds)
            raise InputError(f"METRICS: {one.choice.name} scores {kinds}, and this run predicts none. Remove it.")


def with_chosen(rows: EvaluatedRows, chosen: Sequence[ChosenMetric]) -> EvaluatedRows:
    """Return evaluated rows whose `measure` gives the chosen metrics too, of those that score this kind of rows."""
    fitting = [one for one in chosen if rows.kind in one.choice.kinds]
    if not fitting:
        return rows
    measure = rows.measure
    by_row = [_ByRow(one, rows) for one in fitting if one.choice.mean_of_rows]
    tables: list[_ByRow | _Counted] = [*by_row]
    counted = {one.choice.name: _Counted(one, rows) for one in fitting if _is_counted(one)}
    tables += counted.values()
    others = [one for one in fitting if not one.choice.mean_of_rows and one.choice.name not in counted]

    def measured(positions: NDArray[numpy.intp]) -> Mapping[str, float]:
        further: dict[str, float] = {}
        for table in tables:
            further.update(table.mean(positions))
        if others:
            numbers = [int(number) for number in positions]
            predicted, expected = ([held[number] for number in numbers] for held in (rows.predicted, rows.expected))
            further.update({name: value for one in others for name, value in one.values(predicted, expected).items()})
        return {**further, **measure(positions)}

    counts = {name: table.counts for name, table in counted.items()}
    # The task's own come first: the worst rows are those with the worst value of the first one.
    own = rows.ratios
    ratios = {name: pair for one in by_row if own for name, pair in one.ratios().items() if name not in own}
    cost = max(rows.cost, _COST) if others else rows.cost
    return attrs.evolve(rows, measure=measured, ratios={**own, **ratios}, counted={**counts, **rows.counted}, cost=cost)


def _is_counted(metric: ChosenMetric) -> bool:
    names = (metric.choice.name,)
    return isinstance(metric.metric, SupportsCounts) and metric.choice.figures == names and names[0] in FORMULAS


class _Counted:
    """The counts of a metric of each row.

    Args:
        metric: with a formula.
        rows: of an evaluation.
    """

    def __init__(self, metric: ChosenMetric, rows: EvaluatedRows) -> None:
        assert isinstance(metric.metric, SupportsCounts)
        self._name = metric.choice.name
        self.counts = metric.metric.counts(rows.predicted, rows.expected)

    def mean(self, positions: NDArray[numpy.intp]) -> dict[str, float]:
        """Return the metric of a sample of the rows."""
        return {self._name: float(FORMULAS[self._name](sums(self.counts, positions)[None])[0])}


class _ByRow:
    """The values of a metric of each row, computed once.

    Args:
        metric: whose value is the mean of those of the rows.
        rows: of an evaluation.
    """

    def __init__(self, metric: ChosenMetric, rows: EvaluatedRows) -> None:
        self._metric, self._rows = metric, rows

    @cached_property
    def _values(self) -> dict[str, NDArray[numpy.float64]]:
        import numpy

        pairs = zip(self._rows.predicted, self._rows.expected, strict=True)
        each = [self._metric.values([predicted], [expected]) for predicted, expected in pairs]
        return {name: numpy.array([one[name] for one in each]) for name in self._metric.choice.figures}

    def ratios(self) -> dict[str, tuple[Addends, Addends]]:
        """Return what each row adds to the sums that the figures are ratios of."""
        import numpy

        return {name: (values, numpy.ones(len(values))) for name, values in self._values.items()}

    def mean(self, positions: NDArray[numpy.intp]) -> dict[str, float]:
        """Return the figures of a sample of the rows."""
        return {name: float(values[positions].mean()) for name, values in self._values.items()}


def further_scores(
    rows: EvaluatedRows, chosen: Sequence[ChosenMetric], scores: Mapping[str, float]
) -> dict[str, float]:
    """Return the chosen metrics of an evaluation that its task has not measured itself.

    Args:
        rows: of the evaluation.
        chosen: the metrics of the plan.
        scores: what the task measured.
    """
    further: dict[str, float] = {}
    for one in chosen:
        if rows.kind in one.choice.kinds and not set(one.choice.figures) <= set(scores):
            if one.choice.name in rows.counted and len(rows):
                formula, table = FORMULAS[one.choice.name], rows.counted[one.choice.name]
                further[one.choice.name] = float(formula(table.sum(axis=0, dtype=float)[None])[0])
                continue
            further.update(one.values(rows.predicted, rows.expected))
    return {name: value for name, value in further.items() if name not in scores}
