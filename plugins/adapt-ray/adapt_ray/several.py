"""Several runs of one process each on Ray Tune: what its driver and its workers do."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from ray import tune

from adapt_core.execution.worker import reported
from adapt_core.execution.worker_protocol import Report
from adapt_core.result import RunResult

from adapt_ray.cluster import lacking, wanted

Tell = Callable[[Mapping[str, Any]], None]


class Told(tune.Callback):
    """Tells how each run ends. Ray Tune pickles it: what it tells through belongs to the class."""

    tell: Tell

    def on_trial_result(self, iteration: int, trials: Any, trial: Any, result: Any, **info: Any) -> None:
        """Tell the report of a run."""
        Told.tell({"index": trial.config["index"], "report": result["report"]})

    def on_trial_error(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        """Tell that the process of a run died."""
        Told.tell({"index": trial.config["index"], "lost": _why(trial)})


class OneRun(tune.Trainable):
    """A run, in the main thread of a worker, which serves one after the other: it imports torch once."""

    def setup(self, config: dict[str, Any], job: Mapping[str, Any]) -> None:
        """Keep the job, and which of its plans is meant."""
        self.config, self.job = config, job

    def step(self) -> dict[str, Any]:
        """Execute the run."""
        return {"report": _run(self.job, self.config["index"]).to_line(), "done": True}

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take another run."""
        self.config = new_config
        return True


def run_all(job: Mapping[str, Any], tell: Tell) -> None:
    """Execute the plans of a job as trials of Ray Tune, and tell how each ended.

    Ray Tune places them and starts them; which runs there are is decided elsewhere, so it has neither a scheduler nor
    a search algorithm of its own.

    Args:
        job: what `adapt_ray.side_by_side` writes.
        tell: writes an event: {"index": OF THE PLAN, "report": LINE}, or {"index": ..., "lost": WHY}.
    """
    resources, _ = wanted(job)
    if (missing := lacking(resources, 1)) is not None:
        tell({"refused": f"resources_per_worker: {missing}. Lower them."})
        return

    told = Told()
    Told.tell = staticmethod(tell)
    tune.Tuner(
        tune.with_resources(tune.with_parameters(OneRun, job=dict(job)), resources),
        param_space={"index": tune.grid_search(list(range(len(job["plans"]))))},
        tune_config=tune.TuneConfig(max_concurrent_trials=job["processes"], reuse_actors=True),
        run_config=tune.RunConfig(
            name="adapt",
            storage_path=f"{job['scratch']}/tune",
            callbacks=[told],
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),  # a run writes its own
            verbose=0,
        ),
    ).fit()


def _why(trial: Any) -> str:
    error = trial.get_pickled_error()
    lines = str(error or trial.get_error() or "Ray does not say why").strip().splitlines()
    return lines[-1][:300]


def _run(job: Mapping[str, Any], index: int) -> Report:
    """Execute one of the plans, and return how it ended; nothing is raised."""
    from adapt_core.api import run_plan
    from adapt_core.config.plan_json import plan_from_json
    from adapt_core.plugin.registry import Registry

    os.environ.update(job["environment"])
    with suppress(OSError):  # on another machine
        os.chdir(job["folder"])
    text = job["plans"][index]

    def execute() -> RunResult:
        registry = Registry.discover(json.loads(text)["disabled_plugins"])
        return run_plan(plan_from_json(text, registry), registry)

    return reported(execute)
