"""Trackers: what a config switches on with TRACKERS, by names that plugins register (`adapt_trackers`).

One observer serves all of them, in every loop: it observes the run by the hooks that any plugin may implement. (A
third party's plugin that implements these hooks itself needs no key: it observes wherever it is installed.)

observer.py            the observer: starts a tracker at the first figures, names them, ends it whatever happens
tensorboard.py         event files for TensorBoard
through_accelerate.py  wandb, mlflow, trackio and the like, by accelerate's classes
"""

from __future__ import annotations

import logging
from pathlib import Path

from adapt_core.config.plan import Plan
from adapt_core.plugin.registry import Registry
from adapt_core.run_folder.claims import make_empty_folder
from adapt_core.runtime.recorder import TRACKER
from adapt_core.trackers.observer import TrackerObserver

log = logging.getLogger(__name__)

TENSORBOARD = "tensorboard"


def start_trackers(plan: Plan, registry: Registry) -> None:
    """Register a plan's trackers as observers, each with its folder. On rank 0 only."""
    end_trackers(registry)
    folder = Path(plan.output_dir)
    for asked in dict.fromkeys(plan.run.trackers):
        found = registry.trackers.find(asked)
        if found is None:
            continue  # the plan was made with other plugins, and refused where it was made
        name = found.spec.name
        # Where its users have always looked; every other tracker's folder is below one name that no plugin chooses.
        place = TENSORBOARD if name == TENSORBOARD else "trackers"
        make_empty_folder(folder, place)
        own = folder / place
        observer = TrackerObserver(name, found.spec, plan, own if name == TENSORBOARD else own / name)
        registry.manager.register(observer, f"{TRACKER}{name}")


def end_trackers(registry: Registry) -> None:
    """End the trackers that are still open, as after an interrupted or failed run, and forget them all."""
    for name, observer in registry.manager.list_name_plugin():
        if isinstance(observer, TrackerObserver):
            try:
                observer.end()
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # noqa: BLE001 - a tracker stops no run, not by an exit, and hides no error of it
                log.warning("the %s failed at its end: %s", name, str(error) or type(error).__name__)
            registry.manager.unregister(name=name)
