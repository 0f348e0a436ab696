"""Paired tests of two runs on the same rows."""

from __future__ import annotations

from typing import Any

import numpy
import pytest

from adapt_core.report.paired import pairs
from adapt_core.uncertainty.corpus_scores import sacrebleu
from adapt_core.uncertainty.kept_rows import KeptRows
from adapt_core.uncertainty.matched_objects import matches_of, mean_precisions
from adapt_core.uncertainty.paired import paired_tests

CLASSES = ("a", "b", "c")


def classified(expected: Any, predicted: Any, ids: Any = None) -> KeptRows:
    right = (numpy.array(expected) == numpy.array(predicted)).astype(float)
    return KeptRows(
        kind="class",
        ids=[str(number) for number in range(len(expected))] if ids is None else ids,
        columns={"expected": list(expected), "predicted": list(predicted)},
        ratios={"accuracy": (right, numpy.ones(len(right)))},
    )


def two_runs(rows: int, better: float, seed: int = 0) -> tuple[KeptRows, KeptRows]:
    """Two classifiers, of which one is right 0.6 of the time and the other `better` more."""
    chance = numpy.random.default_rng(seed)
    truth = chance.choice(CLASSES, rows)
    one, other = (
        numpy.where(chance.random(rows) < right, truth, chance.choice(CLASSES, rows)) for right in (0.6, 0.6 + better)
    )
    return classified(truth, one), classified(truth, other)


@pytest.mark.parametrize("better", [0.0, 0.1, 0.3])
def test_of_an_accuracy_it_says_what_mcnemar_s_exact_test_says(better: float) -> None:
    stats = pytest.importorskip("scipy.stats")
    one, other = two_runs(200, better)
    first, second = one.ratios["accuracy"][0], other.ratios["accuracy"][0]
    gained, lost = int((second > first).sum()), int((second < first).sum())
    exact = stats.binomtest(gained, gained + lost).pvalue
    test = paired_tests(one, other)["accuracy"]
    assert test.difference == pytest.approx((gained - lost) / 200)
    assert test.p == pytest.approx(exact, abs=0.02)


def test_of_a_mean_it_says_what_scipy_s_permutation_test_says() -> None:
    stats = pytest.importorskip("scipy.stats")
    chance = numpy.random.default_rng(5)
    first, second = chance.random(60), chance.random(60) + 0.08
    kept = [
        KeptRows("text", [str(n) for n in range(60)], {}, {"rougeL": (values, numpy.ones(60))})
        for values in (first, second)
    ]
    theirs = stats.permutation_test(
        (second, first), lambda a, b: (a - b).mean(), permutation_type="samples", n_resamples=9999, rng=chance
    )
    assert paired_tests(*kept)["rougeL"].p == pytest.approx(theirs.pvalue, abs=0.02)


def test_macro_f1_is_that_of_each_run() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    one, other = two_runs(150, 0.2)
    first, second = (
        metrics.f1_score(rows.columns["expected"], rows.columns["predicted"], average="macro") for rows in (one, other)
    )
    assert paired_tests(one, other)["macro_f1"].difference == pytest.approx(second - first)


def test_where_both_are_alike_five_in_a_hundred_pairs_are_said_to_differ() -> None:
    said = [paired_tests(*two_runs(120, 0.0, seed))["macro_f1"].p < 0.05 for seed in range(200)]
    assert sum(said) <= 20  # of 200 with a share of 0.05, more than 20 come once in 700 times


def test_the_order_of_the_rows_does_not_matter() -> None:
    one, other = two_runs(100, 0.1)
    turned = classified(
        other.columns["expected"][::-1], other.columns["predicted"][::-1], [str(n) for n in reversed(range(100))]
    )
    tests, again = paired_tests(one, other), paired_tests(one, turned)
    assert {name: test.difference for name, test in tests.items()} == pytest.approx(
        {name: test.difference for name, test in again.items()}
    )
    assert again["accuracy"].p == pytest.approx(tests["accuracy"].p, abs=0.02)


def test_a_run_beside_itself_does_not_differ() -> None:
    one, _ = two_runs(50, 0.0)
    assert {test.p for test in paired_tests(one, one).values()} == {1.0}


def test_a_difference_is_told_with_p_and_none_in_words() -> None:
    one, alike = two_runs(400, 0.0, seed=2)
    [pair] = pairs([one, alike])
    assert pair.told("accuracy").startswith("no difference: p = ")
    [apart] = pairs([one, classified(one.columns["expected"], one.columns["expected"])])
    assert apart.told("accuracy").endswith(": p < 0.001")
    assert apart.told("accuracy").startswith("+0.")
    assert apart.told("loss") == ""


def test_other_rows_are_not_tested_and_it_says_how_many_are_in_common() -> None:
    one, other = two_runs(10, 0.0)
    fewer = classified(other.columns["expected"][:4], other.columns["predicted"][:4])
    found = pairs([one, fewer, None, other])
    assert [pair.why_not for pair in found] == [
        "not tested: the rows differ, 4 of 10 and 4 in common",
        "not tested: no predictions.parquet",
        "",
    ]
    assert [bool(pair.tests) for pair in found] == [False, False, True]


def test_a_metric_that_is_not_finite_is_not_tested() -> None:
    """A run that diverged has a loss of NaN, which no exchange reaches: that is no difference with p < 0.001."""
    ids = ["a", "b", "c"]
    one, other = (
        KeptRows("tokens", ids, {}, {"loss": (numpy.array(losses), numpy.ones(3)), "hits": (hits, numpy.ones(3))})
        for losses, hits in (([1.0, 2.0, 3.0], numpy.ones(3)), ([1.0, float("nan"), 3.0], numpy.zeros(3)))
    )
    assert set(paired_tests(one, other)) == set(paired_tests(other, one)) == {"hits"}


def test_macro_f1_of_very_many_classes_is_not_tested(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapt_core.uncertainty.paired.MOST_COUNTS", 299)
    assert set(paired_tests(*two_runs(100, 0.2))) == {"accuracy"}


def found_objects(chance: numpy.random.Generator, sure: float, images: int = 40) -> tuple[list[Any], list[Any]]:
    """Objects of images, each found with the probability `sure`, and as many wrong predictions as are missed."""
    expected, predicted = [], []
    for _ in range(images):
        objects = chance.choice(CLASSES[:2], chance.integers(1, 5)).tolist()
        expected.append([{"label": label, "bbox": [0.0, 0.0, 9.0, 9.0], "not_counted": False} for label in objects])
        hits = chance.random(len(objects)) < sure
        predicted.append(
            [
                {
                    "label": label,
                    "score": float(chance.random()),
                    "right": 1023 * int(hit),
                    "wrong": 1023 * int(not hit),
                }
                for label, hit in zip(objects, hits, strict=True)
            ]
        )
    return expected, predicted


def detected(expected: Any, predicted: Any, order: Any = None) -> KeptRows:
    order = range(len(expected)) if order is None else order
    columns = {"expected": [expected[n] for n in order], "predicted": [predicted[n] for n in order]}
    return KeptRows("objects", [f"{n:03}" for n in order], columns, {}, averaged=("mAP", "AP50", "AP75"))


@pytest.mark.parametrize(("better", "differs"), [(0.0, False), (0.35, True)])
def test_of_mean_average_precision_images_are_exchanged(better: float, *, differs: bool) -> None:
    expected, one = found_objects(numpy.random.default_rng(1), 0.5)
    _, other = found_objects(numpy.random.default_rng(1), 0.5 + better)
    if not differs:
        _, other = expected, [one[n] if n % 2 else list(one[n]) for n in range(len(one))]
        other[0], other[2] = [{**each, "score": each["score"] * 0.99} for each in one[0]], one[2]
    tests = paired_tests(detected(expected, one), detected(expected, other))
    assert list(tests) == ["mAP", "AP50", "AP75"]
    assert (tests["mAP"].p < 0.05) is differs
    times = numpy.ones(len(expected))
    values = [mean_precisions(matches_of(expected, each), times)[0] for each in (one, other)]
    assert tests["mAP"].difference == pytest.approx(values[1] - values[0])


def test_p_of_mean_average_precision_is_uniform_where_both_predict_equally_well() -> None:
    """Of 40 pairs of detectors without a difference about one in twenty has p below 0.05, and half below 0.5."""
    found = []
    for seed in range(40):
        chance = numpy.random.default_rng(seed)
        expected, one = found_objects(chance, 0.6, images=10)
        other = [
            [
                {**each, "right": 1023 * int(hit), "wrong": 1023 * int(not hit)}
                for each, hit in zip(own, hits, strict=True)
            ]
            for own in one
            for hits in [chance.random(len(own)) < 0.6]
        ]
        found.append(paired_tests(detected(expected, one), detected(expected, other))["mAP"].p)
    assert sum(p < 0.05 for p in found) <= 6
    assert 10 <= sum(p < 0.5 for p in found) <= 30


def test_images_of_two_runs_may_come_in_any_order() -> None:
    expected, one = found_objects(numpy.random.default_rng(3), 0.5)
    _, other = found_objects(numpy.random.default_rng(3), 0.8)
    turned = list(reversed(range(len(expected))))
    assert (
        paired_tests(detected(expected, one), detected(expected, other, turned))["mAP"]
        == paired_tests(detected(expected, one), detected(expected, other))["mAP"]
    )


def test_of_metrics_of_a_corpus_the_counts_of_rows_are_exchanged() -> None:
    chance = numpy.random.default_rng(2)
    wanted = numpy.full(80, 12)
    every = numpy.stack([wanted, wanted - 1, wanted - 2, wanted - 3], axis=1)

    def counted(share: float) -> KeptRows:
        right = chance.binomial(every, share)
        table = numpy.column_stack([wanted, wanted, right, every]).astype(float)
        return KeptRows("text", [str(n) for n in range(80)], {}, {}, counted={"sacrebleu": table})

    one, alike, other = counted(0.5), counted(0.5), counted(0.6)
    assert paired_tests(one, alike)["sacrebleu"].p > 0.05
    test = paired_tests(one, other)["sacrebleu"]
    assert test.p < 0.05
    values = [float(sacrebleu(rows.counted["sacrebleu"].sum(axis=0)[None])[0]) for rows in (one, other)]
    assert test.difference == pytest.approx(values[1] - values[0])
