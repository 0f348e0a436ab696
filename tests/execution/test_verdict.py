"""The verdict on the data: every check is asked once, none of them ends a run, and all keep to their time."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from adapt_core.config.reader import read_mapping
from adapt_core.config.resolver import RunConfig, resolve
from adapt_core.contracts import CheckSkipped, Examples, Finding, Subject, TaskData
from adapt_core.plugin.specs import DataCheckSpec

from .. import fakes


class Twice:
    """Finds what is there twice."""

    def examine(self, subject: Subject) -> list[Finding]:
        random.random()
        texts = list(subject.splits["train"].texts)
        rows = [n for n, text in enumerate(texts) if text in texts[:n]]
        return [Finding(message=f"{len(rows)} rows are there before", warns=True, rows=[subject.row("train", rows[0])])]


class Good:
    """Finds a baseline."""

    def examine(self, subject: Subject) -> list[Finding]:
        return [Finding(message="to beat: a coin: accuracy 0.5", to_beat={"accuracy": 0.5})]


class Median:
    """Finds a baseline of numbers."""

    def examine(self, subject: Subject) -> list[Finding]:
        return [Finding(message="to beat: the median: rmse 2", to_beat={"rmse": 2.0})]


class Mean:
    """Finds a worse one."""

    def examine(self, subject: Subject) -> list[Finding]:
        return [Finding(message="to beat: the mean: rmse 3", to_beat={"rmse": 3.0})]


class Broken:
    """Has a defect."""

    def examine(self, subject: Subject) -> list[Finding]:
        raise SystemExit("no such table")


class Late:
    """Says that it is left out."""

    def examine(self, subject: Subject) -> Iterable[Finding]:
        raise CheckSkipped("it would take an hour")


class Elsewhere:
    """Has nothing to check."""

    def examine(self, subject: Subject) -> None:
        return None


class Slow:
    """Takes longer than there is."""

    def examine(self, subject: Subject) -> list[Finding]:
        time.sleep(max(subject.seconds, 0) + 0.01)
        return []


def verdict_of(checks: list[type], examples: Mapping[str, Examples] | None = None, **keys: Any) -> Any:
    """Return the verdict of checks on a split with one row twice, and the registry."""
    pytest.importorskip("torch")
    from adapt_core.execution.verdict import examine_data

    specs = [
        DataCheckSpec(name=one.__name__, summary=str(one.__doc__), implementation=f"{__name__}:{one.__name__}")
        for one in checks
    ]
    registry = fakes.registry(adapt_tasks=[fakes.task("words")], adapt_data_checks=specs)
    given = {"TASK": "words", "MODEL_PATH": "m", "CUSTOM_DATASET_PATH": "d", **keys}
    plan = resolve(RunConfig(tuple(read_mapping(given))), registry)
    splits = examples or {"train": Examples(texts=["one", "two", "one"], numbers=[4, 5, 9])}
    data = TaskData(train=[1, 2, 3], examples=lambda: splits)
    return examine_data(plan, registry, object(), data, pytest.fail)


def test_findings_are_data_and_warnings() -> None:
    verdict = verdict_of([Twice, Good, Elsewhere])
    told = json.loads(json.dumps(verdict.to_data()))
    assert list(told["checks"]) == ["Twice", "Good"]
    assert told["checks"]["Twice"]["findings"] == [
        {
            "message": "1 rows are there before",
            "warns": True,
            "figures": {},
            "to_beat": {},
            "rows": [{"split": "train", "row": 9, "text": "one"}],
        }
    ]
    assert told["checks"]["Twice"]["left_out"] is None
    assert verdict.warnings == ["data: 1 rows are there before"]


def test_a_check_that_fails_or_is_left_out_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    checks = verdict_of([Broken, Late, Good]).to_data()["checks"]
    assert checks["Broken"]["left_out"] == "it failed (SystemExit: no such table)"
    assert checks["Late"]["left_out"] == "it would take an hour"
    assert checks["Good"]["findings"]
    told = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(told) == 1
    assert told[0].startswith("the check of the data Broken of ")
    assert told[0].endswith(" failed and is left out: SystemExit: no such table")


def test_checks_that_there_is_no_time_for_are_left_out_with_a_word() -> None:
    checks = verdict_of([Slow, Good], VERDICT_SECONDS=0.05).to_data()["checks"]
    assert checks["Good"]["left_out"] == "the checks before it took the 0.05 s of VERDICT_SECONDS"


def test_random_state_is_that_of_a_run_without_a_verdict() -> None:
    random.seed(3)
    expected = random.random()
    random.seed(3)
    verdict_of([Twice])
    assert random.random() == expected


def test_nothing_is_checked_with_none() -> None:
    assert verdict_of([Broken], VERDICT="none").to_data() == {}


def test_a_run_that_is_worse_than_a_baseline_says_so() -> None:
    verdict = verdict_of([Good])
    assert verdict.not_beaten({"accuracy": 0.75}, {"accuracy": "higher"}) == []
    assert verdict.not_beaten(None, {"accuracy": "higher"}) == []
    assert verdict.not_beaten({"accuracy": 0.25}, {"accuracy": "higher"}) == [
        "accuracy after training is 0.2500, worse than 0.5000 of a plain baseline (to beat: a coin: accuracy 0.5)"
    ]


def test_the_best_baseline_has_the_lowest_error() -> None:
    verdict = verdict_of([Good, Median, Mean])
    assert verdict.to_beat({"rmse": "lower", "accuracy": "higher"})["rmse"] == (2.0, "to beat: the median: rmse 2")
    assert verdict.not_beaten({"rmse": 1.5}, {"rmse": "lower"}) == []
    assert "worse than 2.0000" in verdict.not_beaten({"rmse": 2.5}, {"rmse": "lower"})[0]


def test_groups_on_both_sides_are_told() -> None:
    splits = {
        "train": Examples(texts=["a", "b", "c"], groups=["ann", "ben", None]),
        "validation": Examples(texts=["d", "e", "f"], groups=["ben", "cat", None], numbers=[1, 2, 3]),
    }
    found = verdict_of([Good], splits, GROUP_COLUMN="author").to_data()["checks"]["groups"]["findings"]
    assert [one["message"] for one in found] == [
        "groups of author that training has too: 1, with 1 of 3 validation rows. "
        "The model may know them by their group."
    ]
    assert found[0]["rows"] == [{"split": "validation", "row": 1, "text": "d", "group": "ben"}]
    assert "groups" not in verdict_of([Good], splits).to_data()["checks"]


def test_groups_of_a_sample_are_told_as_such() -> None:
    splits = {
        "train": Examples(texts=["a", "b"], groups=["ann", "ben"], total=300_000),
        "validation": Examples(texts=["d"], groups=["ben"]),
        "test": Examples(texts=["d"], groups=["cat"]),
    }
    found = verdict_of([Good], splits, GROUP_COLUMN="author").to_data()["checks"]["groups"]["findings"]
    assert [one["message"] for one in found] == [
        "groups of author that training has too: 1, with 1 of 1 validation rows (in a sample: 2 of 300,000 "
        "train rows). The model may know them by their group.",
        "test has no group of author that training has, too (in a sample: 2 of 300,000 train rows).",
    ]
    assert [one["warns"] for one in found] == [True, False]
