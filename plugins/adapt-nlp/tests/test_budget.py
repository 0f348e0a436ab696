"""`BUDGET`: a run trains the steps that fit, and its schedule ends with them."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import pytest

from adapt_core.config.stop_after import budget_seconds
from adapt_core.errors import ConfigError, InterruptedRunError
from adapt_core.execution import budgets
from adapt_core.runtime.budget import Budget

from .test_training_parameters import Run, metric_lines

LONG = {"OVERWRITE_OUTPUT_DIR": True, "EPOCHS": 1000, "INTERVAL": "no", "LOGGING_STEPS": 1}


@pytest.fixture
def a_second_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets each look at the clock of a budget come a second after the last: a step takes a second."""

    def budget(seconds: float, _since: float, _of: str) -> Budget:
        ticks = itertools.count()
        return Budget(seconds, 0.0, clock=lambda: float(next(ticks)))

    monkeypatch.setattr(budgets, "Budget", budget)


@pytest.mark.usefixtures("a_second_each")
def test_a_run_trains_the_steps_that_fit_and_its_rate_arrives_at_zero(run: Run, tmp_path: Path) -> None:
    result = run(**LONG, BUDGET="30s")
    assert 15 <= result.steps <= 27  # 30 s less evaluations, files and a reserve, a second each
    told = f"BUDGET 30s: {result.steps} of 4,000 planned steps fitted"
    assert any(warning.startswith(told) for warning in result.warnings)
    assert f"{told}; the schedule ended with them." in (tmp_path / "run" / "log.txt").read_text()
    rates = [line["learning_rate"] for line in metric_lines(tmp_path / "run", "train")]
    assert len(rates) == result.steps
    assert rates[-1] <= 0.1 * rates[0]
    assert result.metrics["after"]
    rows = result.steps * 16
    assert result.samples_per_second * result.train_seconds == pytest.approx(rows, rel=0.1)  # of these steps alone


@pytest.mark.usefixtures("a_second_each")
def test_evaluations_while_it_trains_take_their_share(run: Run) -> None:
    without = run(**LONG, BUDGET="60s").steps
    each_step = run(**{**LONG, "INTERVAL": "steps", "INTERVAL_STEPS": 1}, BUDGET="60s").steps
    assert each_step < 0.7 * without


@pytest.mark.usefixtures("a_second_each")
@pytest.mark.parametrize("interval", [{"INTERVAL": "epoch"}, {"INTERVAL": "steps", "INTERVAL_STEPS": 7}])
def test_the_last_step_that_fits_is_evaluated_and_saved(run: Run, tmp_path: Path, interval: dict[str, Any]) -> None:
    result = run(**{**LONG, **interval}, BUDGET="30s", KEEP="best")
    assert metric_lines(tmp_path / "run", "eval")[-1]["step"] == result.steps
    assert (tmp_path / "run" / "checkpoints" / f"checkpoint-{result.steps}").is_dir()


@pytest.mark.usefixtures("a_second_each")
def test_a_resumed_run_goes_on_with_the_steps_that_were_fitted(run: Run, tmp_path: Path) -> None:
    keys = {**LONG, "OVERWRITE_OUTPUT_DIR": False, "BUDGET": "40s"}
    with pytest.raises(InterruptedRunError, match="at step 12"):
        run(**keys, STOP_AFTER="12 steps")
    resumed = run(**keys, resume=True)
    assert 12 < resumed.steps <= 37
    rates = [line["learning_rate"] for line in metric_lines(tmp_path / "run", "train")]
    assert rates[12:] == sorted(rates[12:], reverse=True)
    assert rates[-1] == pytest.approx(1e-2 / resumed.steps, rel=0.01)


def test_a_run_that_is_shorter_than_its_budget_equals_one_without(run: Run, tmp_path: Path) -> None:
    bounded = run(EPOCHS=1, BUDGET="2h")
    assert not [warning for warning in bounded.warnings if "BUDGET" in warning]
    rates = [line.get("learning_rate") for line in metric_lines(tmp_path / "run", "train")]
    free = run(EPOCHS=1, OUTPUT_DIR=str(tmp_path / "free"))
    assert bounded.metrics == free.metrics
    assert rates == [line.get("learning_rate") for line in metric_lines(tmp_path / "free", "train")]


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"BUDGET": "20"}, "as in 20m"),
        ({"BUDGET": "20m", "SEEDS": 2}, "bounds one run, and SEEDS makes several"),
        ({"BUDGET": "20m", "FOLDS": 2}, "bounds one run, and FOLDS makes several"),
    ],
)
def test_a_budget_that_cannot_be_kept_is_refused(run: Run, keys: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        run(**keys)


def test_without_the_evaluation_before_the_result_has_none(run: Run) -> None:
    result = run(EVALUATE_BEFORE=False)
    assert result.metrics["before"] is None
    assert result.metrics["after"]
    assert math.isinf(budget_seconds(None))
