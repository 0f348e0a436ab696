"""METRICS in a run: they are imported and constructed, asked about rows and samples of them, and errors name them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import numpy
import pytest

from adapt_core.config.plan import MetricChoice
from adapt_core.errors import DefectError, InputError
from adapt_core.evaluated_rows import EvaluatedRows
from adapt_core.metrics.chosen import ChosenMetric, further_scores, require_fit, with_chosen
from adapt_core.plugin.params import NoParams, param


@attrs.frozen
class BeginsParams:
    """The letter of `Begins`."""

    letter: str = param("a", "Which.")


class Begins:
    """The share of predictions that begin with a letter."""

    def __init__(self, params: BeginsParams) -> None:
        self.letter = params.letter

    def __call__(self, predicted: Sequence[str], _expected: Sequence[str]) -> float:
        return sum(text.startswith(self.letter) for text in predicted) / len(predicted)


class Longest:
    """A class without parameters, with several figures."""

    def __call__(self, predicted: Sequence[str], expected: Sequence[str]) -> Mapping[str, float]:
        return {"longest": max(map(len, predicted)), "wanted": max(map(len, expected)), "aside": 0}


def fails(predicted: Sequence[str], expected: Sequence[str]) -> float:
    raise ZeroDivisionError("no words")


def says_text(predicted: Sequence[str], expected: Sequence[str]) -> Any:
    return {"other": 1}


def choice(name: str, params: object = None, *figures: str) -> MetricChoice:
    return MetricChoice(
        name=name.casefold(),
        distribution="tests",
        version="1",
        implementation=f"{__name__}:{name}",
        params=params or NoParams(),
        kinds=("text",),
        figures=figures or (name.casefold(),),
        direction="higher",
        bounds=(0, 1),
    )


ROWS = EvaluatedRows(
    kind="text",
    rows=range(3),
    expected=["ash", "oak", "elm"],
    predicted=["ash", "ok", "aspen"],
    measure=lambda sample: {"rows": len(sample)},
)


def test_functions_classes_and_classes_with_parameters_are_asked() -> None:
    both = choice("Begins", BeginsParams(letter="o")), choice("Longest", None, "longest", "wanted")
    chosen = list(map(ChosenMetric.of, both))
    assert further_scores(ROWS, chosen, {}) == {"begins": pytest.approx(1 / 3), "longest": 5.0, "wanted": 3.0}
    assert further_scores(ROWS, chosen, {"longest": 1.0, "begins": 0.0}) == {"wanted": 3.0}
    assert further_scores(attrs.evolve(ROWS, kind="class"), chosen, {}) == {}


def test_samples_of_the_rows_are_measured_too() -> None:
    rows = with_chosen(ROWS, [ChosenMetric.of(choice("Begins", BeginsParams()))])
    assert rows.measure(numpy.array([0, 2, 2])) == {"begins": 1.0, "rows": 3}
    assert rows.measure(numpy.array([1])) == {"begins": 0.0, "rows": 1}


def test_a_mean_over_the_rows_is_kept_as_a_sum_of_theirs_for_paired_tests() -> None:
    own = {"exact": (numpy.array([1.0, 0.0, 0.0]), numpy.ones(3))}
    mean = attrs.evolve(choice("Begins", BeginsParams()), mean_of_rows=True)
    rows = with_chosen(attrs.evolve(ROWS, ratios=own), [ChosenMetric.of(mean)])
    assert list(rows.ratios) == ["exact", "begins"]
    over, under = rows.ratios["begins"]
    assert (over.tolist(), under.tolist()) == ([1, 0, 1], [1, 1, 1])
    assert rows.measure(numpy.array([0, 1])) == {"begins": 0.5, "rows": 2}


def test_without_rows_there_is_no_value() -> None:
    assert math.isnan(ChosenMetric.of(choice("fails")).values([], [])["fails"])


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("fails", "metric 'fails' of tests 1 failed: ZeroDivisionError: no words. It must return fails as numbers."),
        ("says_text", "metric 'says_text' of tests 1 failed: KeyError: 'says_text'."),
    ],
)
def test_a_metric_that_fails_is_named_with_its_plugin(name: str, told: str) -> None:
    with pytest.raises(DefectError) as caught:
        further_scores(ROWS, [ChosenMetric.of(choice(name))], {})
    assert told in str(caught.value)


def test_one_that_cannot_be_imported_is_named_too() -> None:
    with pytest.raises(DefectError, match="metric 'nowhere' of tests 1 cannot be used: AttributeError"):
        ChosenMetric.of(choice("Nowhere"))


def test_an_evaluation_without_one_of_them_says_what_it_scores() -> None:
    chosen = [ChosenMetric.of(choice("fails"))]
    require_fit(chosen, {"fails": math.nan})
    with pytest.raises(InputError, match="METRICS: fails scores text, and this run predicts none"):
        require_fit(chosen, {"loss": 1.0})
