"""TRACKERS: each named tracker takes a whole run with its real package, offline, and what it kept is read again."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from adapt_core.errors import ConfigError

Run = Callable[..., Any]

NAMES = {"LOGGING_STEPS": 1, "TRACKER_PROJECT": "in/box", "TRACKER_RUN": "first try"}
STEPS = [1, 2, 3, 4]


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing asks a server, and nothing of the user's own is read or written."""
    for name, value in {
        "HOME": str(tmp_path / "home"),
        "WANDB_MODE": "offline",
        "CLEARML_OFFLINE_MODE": "1",
        "COMET_START_ONLINE": "0",
        "SWANLAB_MODE": "offline",
        "AIM_UI_TELEMETRY_ENABLED": "0",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("MLFLOW_TRACKING_URI", "TRACKIO_DIR", "TRACKIO_SPACE_ID", "WANDB_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def needs(package: str) -> None:
    """Skip without a package; it is not imported, for some read their settings then."""
    if find_spec(package) is None:
        pytest.skip(f"needs {package}")


def finished(run: Run, tmp_path: Path, name: str, **changes: Any) -> tuple[Any, Path]:
    """Return the result of a run with a tracker, and the tracker's folder."""
    result = run(TRACKERS=[name], **{**NAMES, **changes})
    assert result.status == "finished"
    assert f"the tracker {name} failed" not in (tmp_path / "run" / "log.txt").read_text(encoding="utf-8")
    return result, tmp_path / "run" / "trackers" / name


def test_wandb(run: Run, tmp_path: Path) -> None:
    needs("wandb")
    result, folder = finished(run, tmp_path, "wandb")
    [kept] = folder.glob("wandb/offline-run-*/run-*.wandb")
    content = kept.read_bytes()
    for text in ("in-box", "first try", "eval/accuracy", "train/loss", str(result.metrics["after"]["accuracy"])):
        assert text.encode() in content, text
    assert json.loads(folder.with_name("wandb.json").read_text())["run"] in kept.name


def test_mlflow(run: Run, tmp_path: Path) -> None:
    needs("mlflow")
    result, folder = finished(run, tmp_path, "mlflow")
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{folder / 'mlflow.db'}")
    [experiment] = client.search_experiments(filter_string="name = 'in-box'")
    [kept] = client.search_runs([experiment.experiment_id])
    assert (kept.info.run_name, kept.info.status) == ("first try", "FINISHED")
    assert kept.data.params["TASK"] == "text_classification"
    assert [one.step for one in client.get_metric_history(kept.info.run_id, "train/loss")] == STEPS
    last = client.get_metric_history(kept.info.run_id, "eval/accuracy")[-1]
    assert (last.step, last.value) == (4, pytest.approx(result.metrics["after"]["accuracy"]))


def names_in_trackio() -> list[str]:
    """Return the run of each row of trackio's database, which is where it was at the first run of the process."""
    from trackio.utils import TRACKIO_DIR

    [file] = Path(TRACKIO_DIR).glob("*.db")
    with sqlite3.connect(file) as kept:
        return [name for (name,) in kept.execute("SELECT run_name FROM metrics")]


def kept_by_trackio(run_name: str) -> list[tuple[int, dict[str, Any]]]:
    """Return the steps and figures of a run, in order."""
    from trackio.utils import TRACKIO_DIR

    [file] = Path(TRACKIO_DIR).glob("*.db")
    with sqlite3.connect(file) as kept:
        found = kept.execute("SELECT run_name, step, metrics FROM metrics ORDER BY id").fetchall()
    return [(step, json.loads(text)) for name, step, text in found if name == run_name]


def stopped_and_resumed(
    run: Run, monkeypatch: pytest.MonkeyPatch, name: str, between: Callable[[], None], **changes: Any
) -> None:
    """Run with a tracker until an error after step 3, look at it, and go on from the checkpoint of step 2."""
    from adapt_core.hf.loop.callbacks import MetricsCallback

    on_step_end = MetricsCallback.on_step_end

    def stop(self: Any, args: Any, state: Any, control: Any, **options: Any) -> None:
        on_step_end(self, args, state, control, **options)
        if state.global_step == 3:
            raise OSError("the power is gone")

    keys = {**NAMES, "TRACKERS": [name], "INTERVAL": "steps", "INTERVAL_STEPS": 2, **changes}
    with monkeypatch.context() as patch:
        patch.setattr(MetricsCallback, "on_step_end", stop)
        with pytest.raises(OSError, match="the power is gone"):
            run(**keys)
    between()
    run(resume=True, **keys)


def test_an_interrupted_run_goes_on_in_the_same_run_of_mlflow(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs("mlflow")
    from mlflow import MlflowClient

    address = f"sqlite:///{tmp_path / 'run' / 'trackers' / 'mlflow' / 'mlflow.db'}"

    def kept() -> Any:
        client = MlflowClient(tracking_uri=address)
        [experiment] = client.search_experiments(filter_string="name = 'in-box'")
        [found] = client.search_runs([experiment.experiment_id])
        assert found.info.status == "FINISHED"  # its run is ended, not left open
        return found

    stopped_and_resumed(run, monkeypatch, "mlflow", kept)
    history = MlflowClient(tracking_uri=address).get_metric_history(kept().info.run_id, "train/loss")
    assert {one.step for one in history} == set(STEPS)


def test_an_interrupted_run_goes_on_in_the_same_run_of_trackio(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs("trackio")
    stopped_and_resumed(run, monkeypatch, "trackio", lambda: None, TRACKER_RUN="stopped once")
    found = [step for step, values in kept_by_trackio("stopped once") if "train/loss" in values]
    assert found[:3] == [1, 2, 3]
    assert set(found) == set(STEPS)
    assert len({name for name in names_in_trackio() if "stopped" in name}) == 1


def test_an_interrupted_run_goes_on_in_the_same_run_of_wandb(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Offline, its second part is a folder of its own with the run's id, which `wandb sync` joins."""
    needs("wandb")
    folder = tmp_path / "run" / "trackers" / "wandb"

    def identities() -> list[str]:
        return [file.stem.removeprefix("run-") for file in sorted(folder.glob("wandb/offline-run-*/run-*.wandb"))]

    first: list[str] = []
    stopped_and_resumed(run, monkeypatch, "wandb", lambda: first.extend(identities()))
    assert len(first) == 1
    assert identities() == first * 2


def test_trackio(run: Run, tmp_path: Path) -> None:
    needs("trackio")
    result, _ = finished(run, tmp_path, "trackio")
    figures = kept_by_trackio("first try")
    assert [step for step, values in figures if "train/loss" in values] == STEPS
    found = [values["eval/accuracy"] for _, values in figures if "eval/accuracy" in values]
    assert found[-1] == pytest.approx(result.metrics["after"]["accuracy"])


def test_comet(run: Run, tmp_path: Path) -> None:
    needs("comet_ml")
    _, folder = finished(run, tmp_path, "comet_ml")
    [kept] = folder.glob("*.zip")
    assert json.loads(folder.with_name("comet_ml.json").read_text())["run"] in kept.name


def test_aim(run: Run, tmp_path: Path) -> None:
    needs("aim")
    result, folder = finished(run, tmp_path, "aim")
    from aim import Run as AimRun

    known = json.loads(folder.with_name("aim.json").read_text())["run"]
    kept = AimRun(run_hash=known, repo=str(folder), system_tracking_interval=None)  # read_only sees what is indexed
    assert (kept.name, kept.experiment, kept["hparams", "TASK"]) == ("first try", "in-box", "text_classification")
    last = {metric.name: metric.values.last_value() for metric in kept.metrics()}
    assert last["eval/accuracy"] == pytest.approx(result.metrics["after"]["accuracy"])


def test_clearml(run: Run, tmp_path: Path) -> None:
    needs("clearml")
    _, folder = finished(run, tmp_path, "clearml")
    [kept] = folder.glob("offline/*/metrics.jsonl")
    assert '"accuracy"' in kept.read_text(encoding="utf-8")


def test_swanlab(run: Run, tmp_path: Path) -> None:
    needs("swanlab")
    _, folder = finished(run, tmp_path, "swanlab")
    [kept] = folder.glob("run-*/*.swanlab")
    assert b"eval/accuracy" in kept.read_bytes()


def test_a_tracked_run_trains_the_same_weights(run: Run, tmp_path: Path) -> None:
    """Trackers draw random names; the run's own random states do not see it."""
    needs("tensorboard")
    plain = run(OUTPUT_DIR=str(tmp_path / "plain"))
    tracked = run(TRACKERS=["tensorboard"])
    assert tracked.metrics == plain.metrics


def test_a_name_that_is_none_is_refused_with_the_nearest(run: Run) -> None:
    with pytest.raises(ConfigError, match="mlflow"):
        run(TRACKERS=["mflow"])


def test_a_name_whose_package_is_missing_says_how_to_add_it(run: Run, tmp_path: Path) -> None:
    if find_spec("swanlab") is not None:
        pytest.skip("swanlab is here")
    with pytest.raises(ConfigError, match="pip install swanlab"):
        run(TRACKERS=["swanlab"])
    assert not (tmp_path / "run" / "config.yaml").exists()
