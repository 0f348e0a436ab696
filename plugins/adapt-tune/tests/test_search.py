"""A whole search: trials as run folders, halving, the final run, and going on after a kill."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

import adapt_core
from adapt_core.config import reader
from adapt_core.config.resolver import RunConfig
from adapt_core.errors import ConfigError, InputError, InterruptedRunError
from adapt_core.plugin.registry import Registry
from adapt_core.run_folder.paths import RunFolder

from adapt_tune import tuning
from adapt_tune.reading import read_search
from adapt_tune.report import to_data, write_report
from adapt_tune.space import Space
from adapt_tune.study import TrialRun, Trials

Read = Callable[..., RunConfig]
SPACE = {"LR": {"range": [1e-5, 1e-1], "log": True}, "BATCH_SIZE": [8, 16]}


@pytest.fixture
def search(read: Read, registry: Registry) -> Callable[..., tuple[Trials, TrialRun]]:
    """Runs a search with changes. Its runs are whole long before their time is over: what it does is not up to time."""

    def run(
        resume: bool = False, budget: str = "10m", say: Callable[[str], None] = print, **changes: Any
    ) -> tuple[Trials, TrialRun]:
        given = read(**{"TUNE": SPACE, "EPOCHS": 2, "TUNE_TRIALS": 4, **changes})
        return read_search(given, registry, budget, strict=False, say=say).execute(resume=resume)

    return run


def test_trials_are_run_folders_the_better_go_on_and_the_best_is_trained_last(
    search: Callable[..., tuple[Trials, TrialRun]], tmp_path: Path, registry: Registry
) -> None:
    from optuna.trial import TrialState

    trials, best = search()
    runs = list(trials.runs())
    folder = tmp_path / "search"
    assert runs[0].settings == {}  # the config as it stands is tried first
    assert len(trials.of_rung(0)) == 4
    assert {run.trial for run in trials.of_rung(1)} <= {run.trial for run in trials.of_rung(0)[:2]}
    for run in runs:
        result = json.loads((folder / run.folder / "result.json").read_text(encoding="utf-8"))
        assert result["metrics"]["after"]["accuracy"] == run.value
        keys = (folder / run.folder / "config.yaml").read_text(encoding="utf-8")
        assert all(f"{key}: " in keys for key in run.settings)
    states = [trial.state for trial in trials.study.trials]
    assert states.count(TrialState.COMPLETE) == 1
    assert set(states) == {TrialState.COMPLETE, TrialState.PRUNED}
    assert best.value == max(run.value or 0 for run in runs)
    assert (folder / "final" / "result.json").is_file()
    data = to_data(runs, best, 600, trials.spent)
    write_report(folder, data, runs, best, registry)
    page = (folder / "tuning.html").read_text(encoding="utf-8")
    assert all(run.folder in page for run in runs)
    assert json.loads((folder / "tuning.json").read_text(encoding="utf-8"))["best"]["folder"] == best.folder


def test_a_trial_is_the_run_that_its_config_gives(
    search: Callable[..., tuple[Trials, TrialRun]], tmp_path: Path, keys: dict[str, Any]
) -> None:
    trials, _ = search()
    run = next(run for run in trials.of_rung(0) if run.is_whole and run.settings)
    again = adapt_core.run({**keys, "EPOCHS": 2, **run.settings, "OUTPUT_DIR": str(tmp_path / "again")})
    assert again.metrics["after"]["accuracy"] == run.value
    assert again.steps == run.steps


def test_a_killed_search_goes_on_with_the_same_study(
    search: Callable[..., tuple[Trials, TrialRun]], monkeypatch: pytest.MonkeyPatch
) -> None:
    run_trial, seen = tuning.run_trial, []

    def dies_at_the_third(*args: Any) -> TrialRun:
        seen.append(args[2].number)
        if len(seen) == 3:
            raise KeyboardInterrupt
        return run_trial(*args)

    with monkeypatch.context() as patched:
        patched.setattr(tuning, "run_trial", dies_at_the_third)
        with pytest.raises(InterruptedRunError, match=r"2 runs in .*--resume"):
            search()
    with pytest.raises(InputError, match="--resume"):
        search()
    trials, _ = search(resume=True)
    numbers = [run.trial for run in trials.of_rung(0)]
    assert sorted(numbers) == [0, 1, 2, 3]  # none is run again, and the one that was cut off is
    assert trials.spent > 0
    with pytest.raises(InputError, match="cannot go on with other values of EPOCHS"):
        search(resume=True, EPOCHS=3)


def test_settings_that_cannot_train_are_a_failed_trial(
    search: Callable[..., tuple[Trials, TrialRun]], monkeypatch: pytest.MonkeyPatch
) -> None:
    trials, best = search(TUNE={"LR": {"range": [1e8, 1e12], "log": True}})
    failed = [run for run in trials.runs() if run.failed]
    assert best.settings == {}
    assert all("not finite" in str(run.failed) for run in failed)


def test_choices_that_contradict_each_other_are_a_failed_trial(
    search: Callable[..., tuple[Trials, TrialRun]],
) -> None:
    trials, best = search(TUNE={"INTERVAL": ["epoch", "no"], "KEEP": ["last", "best"]}, TUNE_TRIALS=8)
    failed = [run for run in trials.runs() if run.failed]
    assert {tuple(run.settings.values()) for run in failed} == {("no", "best")}
    assert all("KEEP" in str(run.failed) for run in failed)
    assert best.value is not None


def test_a_finished_search_stays_as_it_is(search: Callable[..., tuple[Trials, TrialRun]], tmp_path: Path) -> None:
    before, best = search(TUNE_TRIALS=2)
    result = tmp_path / "search" / "final" / "result.json"
    written, runs = result.read_bytes(), list(before.runs())
    trials, again = search(resume=True, TUNE_TRIALS=2)
    assert result.read_bytes() == written
    assert list(trials.runs()) == runs
    assert again == best


@pytest.mark.parametrize("wrong", [0, "many", 2.5])
def test_a_number_of_trials_that_is_none_is_told(search: Callable[..., Any], wrong: Any) -> None:
    with pytest.raises(ConfigError, match="TUNE_TRIALS"):
        search(TUNE_TRIALS=wrong)


def test_a_config_that_cannot_run_is_an_error_at_once(search: Callable[..., tuple[Trials, TrialRun]]) -> None:
    with pytest.raises(InputError):
        search(CUSTOM_DATASET_PATH="nowhere")
    with pytest.raises(InputError, match="once"):
        search(SEEDS=2)
    with pytest.raises(InputError, match="as in 20m"):
        search(budget="soon")


def test_the_command_prints_what_it_found(adapt: Callable[..., Any], read: Read, tmp_path: Path) -> None:
    read(TUNE=SPACE, TUNE_TRIALS=2)
    done = adapt("tune", str(tmp_path / "config.yaml"), "--budget", "10m", "--json")
    assert done.returncode == 0, done.stderr
    data = json.loads(done.stdout)
    assert data["budget"] == 600
    assert data["metric"] == "accuracy"
    assert {"trial-0", "final"} <= {run["folder"] for run in data["runs"]}
    refused = adapt("tune", str(tmp_path / "config.yaml"))
    assert refused.returncode == 2
    assert "--budget 20m" in refused.stderr


def test_without_time_for_a_search_the_config_as_it_stands_is_trained_and_that_is_said(
    search: Callable[..., tuple[Trials, TrialRun]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(tuning, "fitting_rungs", lambda *_: (tuning.Rung(1, 1.0),))
    told: list[str] = []
    trials, _ = search(say=told.append, TUNE=None, method="full", EPOCHS=1)
    assert [(run.folder, run.settings) for run in trials.runs()] == [("trial-0", {}), ("final", {})]
    assert any("no search that could pay" in line for line in told)
    result = json.loads((tmp_path / "search" / "final" / "result.json").read_text(encoding="utf-8"))
    assert result["steps"] == 4  # an epoch of 64 rows


def test_the_config_as_it_stands_is_on_every_rung_even_where_it_is_the_worst(
    search: Callable[..., tuple[Trials, TrialRun]],
) -> None:
    space = {"LR": {"range": [1e-4, 1e-3], "log": True}}
    trials, best = search(TUNE=space, TUNE_TRIALS=6, LR=0.5, METRIC_FOR_BEST="loss")
    assert trials.of_rung(0)[-1].trial == 0  # its rate is far too high
    assert len(trials.of_rung(1)) == 2
    assert trials.of_rung(1)[-1].trial == 0
    assert best.settings["LR"] <= 1e-3


def test_settings_that_fit_are_the_next_trial(search: Callable[..., tuple[Trials, TrialRun]]) -> None:
    trials, _ = search(TUNE=None, method="full", TUNE_TRIALS=3, EPOCHS=None)
    settings = trials.study.trials[1].user_attrs["settings"]
    assert settings == {"SETTINGS": "auto", "LR": settings["LR"]}
    assert settings["LR"] > 1e-4  # the default
    following = trials.study.trials[2].user_attrs["settings"]
    assert set(following) == {"LR", "BATCH_SIZE", "SETTINGS"}  # which chooses the epochs


def test_more_epochs_are_tried_where_the_best_run_was_whole_and_there_is_time(
    search: Callable[..., tuple[Trials, TrialRun]], tmp_path: Path
) -> None:
    trials, _ = search(TUNE=None, method="full", TUNE_TRIALS=2, EPOCHS=None, budget="5m")
    more = [run for run in trials.runs() if "EPOCHS" in run.settings and run.folder != "final"]
    assert more
    first = more[0]
    others = {key: value for key, value in first.settings.items() if key != "EPOCHS"}
    before = next(run for run in trials.runs() if run.settings == others)
    keys = RunFolder(tmp_path / "search" / before.folder).stored_keys()
    assert first.settings["EPOCHS"] == 2 * keys["EPOCHS"]
    assert first.is_whole
    given, _ = search(TUNE=None, method="full", TUNE_TRIALS=2, EPOCHS=2, OVERWRITE_OUTPUT_DIR=True)
    assert not [run for run in given.runs() if "EPOCHS" in run.settings]  # the config says how many


def test_a_first_run_that_was_short_is_not_compared_with_longer_ones(
    search: Callable[..., tuple[Trials, TrialRun]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tuning, "first_seconds", lambda _: 1.0)
    monkeypatch.setattr(tuning, "fitting_rungs", lambda *_: (tuning.Rung(3, 30.0),))
    trials, _ = search(EPOCHS=40)
    own = [run for run in trials.runs() if run.trial == 0 and run.folder != "final"]
    assert [run.folder for run in own] == ["trial-0", "trial-0-again"]
    assert own[0].steps < own[1].steps
    compared = {run.trial: run for run in trials.of_rung(0)}
    assert compared[0] == own[1]
    before = [json.loads((tmp_path / "search" / run.folder / "result.json").read_text())["metrics"] for run in own]
    assert before[0].get("before")
    assert not before[1].get("before")  # its time is for training, as that of others


@pytest.mark.parametrize(("final", "kept"), [(0.8, "trial-0"), (0.9, "final"), (0.95, "final")])
def test_what_is_kept_is_never_below_the_best_trial(tmp_path: Path, final: float, kept: str) -> None:
    trials = Trials.open(tmp_path, 0, {})
    trials.propose([])
    run = TrialRun(trial=0, rung=0, folder="trial-0", settings={}, value=0.9, score=0.9)
    trials.add(run)
    trials.add(attrs.evolve(run, rung=-1, folder="final", value=final, score=final))
    best = trials.best()
    assert best is not None
    assert best.folder == kept


def test_an_interrupted_final_run_goes_on_from_its_checkpoint(
    search: Callable[..., tuple[Trials, TrialRun]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    train, steps = tuning.train_final, []

    def stops(space: Space, *others: Any) -> TrialRun:
        steps.append(space)
        given = tuple(reader.read_mapping({"STOP_AFTER": "5 steps"}, "test"))
        return train(
            attrs.evolve(space, config=attrs.evolve(space.config, entries=(*space.config.entries, *given))), *others
        )

    with monkeypatch.context() as patched:
        patched.setattr(tuning, "train_final", stops)
        with pytest.raises(InterruptedRunError, match="--resume"):
            search(TUNE_TRIALS=2)
    folder = tmp_path / "search" / "final"
    assert "checkpoint-5" in [path.name for path in (folder / "checkpoints").iterdir()]
    trials, best = search(resume=True, TUNE_TRIALS=2)
    assert "checkpoint-5 (step 5)" in (folder / "log.txt").read_text(encoding="utf-8")
    final = [run for run in trials.runs() if run.folder == "final"]
    assert [run.is_whole for run in final] == [True]
    assert best.value is not None


def test_a_final_run_that_fails_costs_no_trial(
    search: Callable[..., tuple[Trials, TrialRun]], monkeypatch: pytest.MonkeyPatch
) -> None:
    train = tuning.train_final

    def without_data(space: Space, *others: Any) -> TrialRun:
        given = tuple(reader.read_mapping({"CUSTOM_DATASET_PATH": "nowhere"}, "test"))
        return train(attrs.evolve(space, config=attrs.evolve(space.config, overrides=given)), *others)

    monkeypatch.setattr(tuning, "train_final", without_data)
    trials, best = search(TUNE_TRIALS=2)
    assert "nowhere" in str(next(run.failed for run in trials.runs() if run.folder == "final"))
    assert best.folder.startswith("trial-")


def test_a_replaced_search_leaves_no_trials_of_the_earlier_one(
    search: Callable[..., tuple[Trials, TrialRun]], tmp_path: Path
) -> None:
    search(TUNE_TRIALS=4)
    folder = tmp_path / "search"
    (folder / "trial-2" / "notes.txt").write_text("mine")
    search(TUNE_TRIALS=2, OVERWRITE_OUTPUT_DIR=True)
    assert {path.name for path in folder.glob("trial-*")} == {"trial-0", "trial-1", "trial-2"}
    assert [path.name for path in (folder / "trial-2").iterdir()] == ["notes.txt"]
