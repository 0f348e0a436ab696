"""What is said of predictions that a metric alone makes look well."""

from __future__ import annotations

import pytest

from adapt_core.evaluation import PerClass, Sample, deciding_metric
from adapt_core.verification.predictions import class_findings, score_findings, text_findings


def confusion(*rows: list[int]) -> PerClass:
    return PerClass(labels=("ham", "spam", "news")[: len(rows)], confusion=rows)


def test_one_class_for_every_row_is_named_with_how_many_are_right() -> None:
    [said] = class_findings(confusion([84, 0], [66, 0]), "validation")
    assert said.startswith("the model predicts 'ham' for all 150 of the validation split (84 are right)")
    assert "LR" in said


def test_a_model_no_better_than_the_majority_is_told_which_class_that_is() -> None:
    [said] = class_findings(confusion([70, 10, 0], [9, 1, 0], [10, 0, 0]), "test")
    assert said.startswith("71 of 100 predictions on the test split are right, no better than always answering 'ham'")


@pytest.mark.parametrize(
    "rows", [([8, 2], [2, 8]), ([5, 1], [2, 2]), ([9, 0], [0, 0])], ids=["good", "just better", "one class in the data"]
)
def test_better_models_and_data_of_one_class_are_not_blamed(rows: tuple[list[int], list[int]]) -> None:
    assert class_findings(confusion(*rows), "validation") == []


def test_nothing_found_names_what_there_was() -> None:
    assert (
        "which has place, person" in class_findings(PerClass(labels=("place", "person"), predicted=(0, 0)), "test")[0]
    )
    assert class_findings(PerClass(labels=("place", "person"), predicted=(0, 1)), "test") == []
    assert class_findings(PerClass(labels=(), predicted=()), "test") == []
    assert class_findings(PerClass(labels=("box",), figures={"AP": [0.0]}), "test") == []


def test_empty_texts_are_told_where_texts_were_expected() -> None:
    empty: Sample = {"input": "Who?", "expected": "Ada", "predicted": " "}
    assert text_findings([empty, empty], "validation") == [
        "the model writes nothing: all 2 samples of the validation split are empty"
    ]
    assert text_findings([empty, {**empty, "predicted": "Ada"}], "validation") == []
    assert text_findings([{**empty, "expected": ""}], "validation") == []
    assert text_findings([{"input": "x", "expected": [["a", "O"]], "predicted": [["a", "O"]]}], "validation") == []
    assert text_findings([], "validation") == []


def test_a_deciding_metric_of_zero_is_told() -> None:
    assert score_findings({"mAP": 0.0}, "mAP", "higher", "test")[0].startswith("mAP is 0 on the test split")
    assert score_findings({"mAP": 0.01}, "mAP", "higher", "test") == []
    assert score_findings({"mAP": -1.0}, "mAP", "higher", "test") == []
    assert score_findings({"loss": 0.0}, "loss", "lower", "test") == []


def test_the_deciding_metric_is_the_wanted_one_or_the_first_declared_that_was_measured() -> None:
    directions = {"accuracy": "higher", "f1": "higher"}
    assert deciding_metric({"loss": 1.0, "f1": 0.2, "accuracy": 0.9}, directions, None) == "accuracy"
    assert deciding_metric({"loss": 1.0, "f1": 0.2}, directions, None) == "f1"
    assert deciding_metric({"loss": 1.0, "f1": 0.2, "accuracy": 0.9}, directions, "eval_Accuracy") == "accuracy"
    assert deciding_metric({"loss": 1.0}, directions, None) == "loss"
