"""Trackers of other projects, through the classes by which accelerate drives them (`accelerate.tracking`).

Each is given the project and run name, its own folder for what it keeps on disk, and, where training is resumed, the
run that it continues. Accounts, servers and offline modes are chosen as the tracker's own documentation says, by its
login and environment variables (`WANDB_MODE=offline`, `MLFLOW_TRACKING_URI=...`, `TRACKIO_SPACE_ID=...`).

accelerate's DVCLive is not among them: it makes a DVC repository in the current folder and stages it in the user's Git.
"""

from __future__ import annotations

import importlib
import logging
import os
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from adapt_core.contracts.tracker import TrackedRun

log = logging.getLogger(__name__)

Options = Callable[[TrackedRun], dict[str, Any]]


@attrs.define
class ThroughAccelerate:
    """One of accelerate's trackers.

    Attributes:
        class_name: in `accelerate.tracking`.
        options: keyword arguments of that class for a run.
        identity: what the tracker knows its run by, from the object that accelerate holds; None if it cannot continue.
        separator: between "eval" and the name of a figure.
    """

    class_name: str
    options: Options
    identity: Callable[[Any], str | None] = lambda _: None
    separator: str = "/"
    _tracker: Any = attrs.field(init=False, default=None)

    def start(self, run: TrackedRun) -> str | None:
        """Start or continue the tracker's run. The config is stored once: not every tracker lets it change."""
        from accelerate import PartialState

        if not PartialState._shared_state:
            PartialState(cpu=True)  # accelerate's trackers log through it; loops that do not use accelerate have none
        made = getattr(importlib.import_module("accelerate.tracking"), self.class_name)(**self.options(run))
        made.main_process_only = False  # only rank 0 is here: nothing waits for others
        made.start()
        self._tracker = made
        if run.earlier is None:
            made.store_init_configuration(dict(run.config))
        return self.identity(made.tracker)

    def log(self, figures: Mapping[str, float], step: int) -> None:
        """Pass figures on."""
        named = {name.replace("/", self.separator, 1): value for name, value in figures.items()}
        self._tracker.log(named, step=step)

    def finish(self) -> None:
        """End the tracker's run."""
        if self._tracker is not None:
            self._tracker.finish()


def wandb() -> ThroughAccelerate:
    """Return the tracker of Weights & Biases."""

    def options(run: TrackedRun) -> dict[str, Any]:
        from wandb import Settings

        return {
            "run_name": run.project,
            "name": run.name,
            "dir": str(run.folder),
            "id": run.earlier,
            "resume": "allow",
            "reinit": "finish_previous",
            # Its console capture wraps the streams that adapt's progress is written to.
            "settings": Settings(console="off", silent=True),
        }

    return ThroughAccelerate("WandBTracker", options, identity=lambda run: str(run.id))


def mlflow() -> ThroughAccelerate:
    """Return the tracker of MLflow; without MLFLOW_TRACKING_URI its database is in the tracker's folder."""

    def options(run: TrackedRun) -> dict[str, Any]:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        import mlflow as library

        for chatty in ("alembic", "mlflow"):
            logging.getLogger(chatty).setLevel(logging.WARNING)
        elsewhere = os.environ.get("MLFLOW_TRACKING_URI")
        library.set_tracking_uri(elsewhere or f"sqlite:///{run.folder / 'mlflow.db'}")
        while library.active_run() is not None:
            library.end_run("KILLED")
        return {
            "experiment_name": run.project,
            "logging_dir": None if elsewhere else (run.folder / "artifacts").as_uri(),
            "run_id": run.earlier,
            "run_name": run.name,
        }

    return ThroughAccelerate("MLflowTracker", options, identity=lambda run: str(run.info.run_id))


def trackio() -> ThroughAccelerate:
    """Return the tracker of trackio; without TRACKIO_DIR its database is in the tracker's folder."""

    def options(run: TrackedRun) -> dict[str, Any]:
        os.environ.setdefault("TRACKIO_DIR", str(run.folder))
        from trackio.utils import TRACKIO_DIR

        if run.folder != TRACKIO_DIR:  # it is read once in a process, and may be the user's
            log.info("trackio keeps this run in %s", TRACKIO_DIR)
        return {
            "run_name": run.project,
            "name": run.earlier or run.name,
            "resume": "never" if run.earlier is None else "allow",
            "embed": False,
            "auto_log_gpu": False,
            "auto_log_cpu": False,
        }

    return ThroughAccelerate("TrackioTracker", options, identity=lambda run: str(run.name))


def comet_ml() -> ThroughAccelerate:
    """Return the tracker of Comet."""

    def options(run: TrackedRun) -> dict[str, Any]:
        from comet_ml import ExperimentConfig

        logging.getLogger("comet_ml").setLevel(logging.WARNING)
        settings = ExperimentConfig(
            name=run.name,
            offline_directory=str(run.folder),
            log_code=False,
            auto_output_logging=False,
            log_env_details=False,
            log_git_metadata=False,
            log_git_patch=False,
            display_summary_level=0,
        )
        return {"run_name": run.project, "experiment_key": run.earlier, "experiment_config": settings}

    return ThroughAccelerate("CometMLTracker", options, identity=lambda run: str(run.get_key()))


def aim() -> ThroughAccelerate:
    """Return the tracker of Aim, whose repository is in the tracker's folder."""

    def options(run: TrackedRun) -> dict[str, Any]:
        return {
            "run_name": run.name,
            "logging_dir": str(run.folder),
            "run_hash": run.earlier,
            "experiment": run.project,
            "system_tracking_interval": None,
            "capture_terminal_logs": False,
        }

    return ThroughAccelerate("AimTracker", options, identity=lambda run: str(run.hash))


def clearml() -> ThroughAccelerate:
    """Return the tracker of ClearML; without CLEARML_CACHE_DIR it keeps what it caches in the tracker's folder."""

    def options(run: TrackedRun) -> dict[str, Any]:
        os.environ.setdefault("CLEARML_CACHE_DIR", str(run.folder))
        return {
            "run_name": run.name,
            "project_name": run.project,
            "task_name": run.name,
            "continue_last_task": run.earlier or False,
            "reuse_last_task_id": False,
            "auto_connect_arg_parser": False,
            "auto_connect_frameworks": False,
            "auto_connect_streams": False,
            "auto_resource_monitoring": False,
        }

    # ClearML's charts are named by what is behind "eval_", with a curve for each of "train", "eval" and "test".
    return ThroughAccelerate("ClearMLTracker", options, identity=lambda task: str(task.id), separator="_")


def swanlab() -> ThroughAccelerate:
    """Return the tracker of SwanLab."""

    def options(run: TrackedRun) -> dict[str, Any]:
        known = {} if run.earlier is None else {"id": run.earlier, "resume": "allow"}
        return {"run_name": run.project, "experiment_name": run.name, "logdir": str(run.folder), **known}

    return ThroughAccelerate("SwanLabTracker", options, identity=lambda run: str(run.id))
