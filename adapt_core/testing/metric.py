"""The contract of a metric, checked on a few rows that the author writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from math import isclose
from typing import Any, ClassVar

import attrs
import pytest

from adapt_core.config.metrics import metric_choice
from adapt_core.evaluated_rows import KINDS
from adapt_core.metrics.chosen import ChosenMetric
from adapt_core.plugin.metric_spec import MetricSpec
from adapt_core.plugin.registry import Registered, Registry

Rows = tuple[Sequence[Any], Sequence[Any]]
"""What is predicted of each row, and what was expected."""


class MetricContract:
    """Derive a test class; name the metric, and give it `rows`: predictions, of which some are wrong.

    Attributes:
        name: as it is registered.
        known: the figures of those rows, from a source that the author trusts (a paper, another library, paper and
            pencil).
        params: attribute -> value, where the metric takes parameters.
    """

    name = ""
    known: ClassVar[Mapping[str, float]] = {}
    params: ClassVar[Mapping[str, Any]] = {}

    @pytest.fixture
    def rows(self) -> Rows:
        """Return at least two rows as (predicted, expected), in the form of the first of the metric's kinds."""
        raise NotImplementedError("give the contract rows: override the fixture rows")

    @pytest.fixture
    def item(self) -> Registered[MetricSpec]:
        """Return what is registered."""
        item = Registry.discover().metrics.find(self.name)
        assert item is not None, f"no metric {self.name!r} is registered: is its distribution installed?"
        return item

    @pytest.fixture
    def metric(self, item: Registered[MetricSpec]) -> ChosenMetric:
        """Return the metric as a run has it."""
        params = item.params_class()
        fields = {field.name for field in attrs.fields(params)}
        assert set(self.params) <= fields, f"params has names that {params.__name__} does not declare"
        return ChosenMetric.of(metric_choice(item, params(**self.params)))

    def test_it_scores_kinds_that_there_are(self, item: Registered[MetricSpec]) -> None:
        assert set(item.spec.kinds) <= set(KINDS)

    def test_its_figures_are_known_and_within_its_bounds(
        self, metric: ChosenMetric, rows: Rows, item: Registered[MetricSpec]
    ) -> None:
        least, greatest = item.spec.bounds
        values = metric.values(*rows)
        assert tuple(values) == item.spec.figures
        assert all(least <= value <= greatest for value in values.values()), values
        assert self.known, "give the contract the figures of these rows: known"
        assert {name: values[name] for name in self.known} == pytest.approx(dict(self.known))

    def test_right_predictions_are_better(self, metric: ChosenMetric, rows: Rows, item: Registered[MetricSpec]) -> None:
        predicted, expected = rows
        right = [row[0] if row else "" for row in expected] if item.spec.kinds[0] == "answer" else expected
        found, best = metric.values(predicted, expected), metric.values(right, expected)
        sign = 1 if item.spec.direction == "higher" else -1
        assert all(sign * best[name] >= sign * found[name] for name in found), (found, best)
        assert best != found, "write rows of which some predictions are wrong"

    def test_the_order_of_rows_does_not_matter_and_rows_may_repeat(self, metric: ChosenMetric, rows: Rows) -> None:
        predicted, expected = map(list, rows)
        values = metric.values(predicted, expected)
        turned = metric.values(predicted[::-1], expected[::-1])
        assert all(isclose(values[name], turned[name], rel_tol=1e-6, abs_tol=1e-9) for name in values)
        assert set(metric.values(predicted[:1] * 3, expected[:1] * 3)) == set(values)

    def test_it_is_the_mean_of_rows_where_it_says_so(
        self, metric: ChosenMetric, rows: Rows, item: Registered[MetricSpec]
    ) -> None:
        if not item.spec.mean_of_rows:
            pytest.skip("it is asked about each sample of rows")
        each = [metric.values([found], [wanted]) for found, wanted in zip(*rows, strict=True)]
        means = {name: sum(one[name] for one in each) / len(each) for name in item.spec.figures}
        assert metric.values(*rows) == pytest.approx(means)

    def test_it_leaves_its_arguments_alone_and_answers_alike(self, metric: ChosenMetric, rows: Rows) -> None:
        given = deepcopy(rows)
        assert metric.values(*given) == metric.values(*given)
        assert given == rows
