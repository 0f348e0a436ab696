"""Trials at one time, each in a process of an engine's: Ray Tune's, where adapt-ray is installed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs

from adapt_core.capabilities import SupportsRankMemory, SupportsSeveralRuns
from adapt_core.config.plan import Plan
from adapt_core.config.resolver import resolve
from adapt_core.config.selection import choice_of
from adapt_core.errors import InputError, LostProcessError
from adapt_core.execution.components import make_launcher
from adapt_core.plugin.registry import Registry
from adapt_core.result import RunResult

from adapt_tune.space import Space
from adapt_tune.study import TrialRun
from adapt_tune.trials import Trial, measured, quiet, run_of, trial_plan


@attrs.frozen
class Engine:
    """Where trials run side by side.

    Attributes:
        launcher: of the config.
        at_once: how many it runs at one time.
    """

    launcher: SupportsSeveralRuns
    at_once: int

    @classmethod
    def of(cls, plan: Plan, at_once: int) -> Engine:
        """Return the engine of a plan's launcher.

        Raises:
            InputError: it runs one at a time.
        """
        launcher = make_launcher(plan)
        if not isinstance(launcher, SupportsSeveralRuns):
            raise InputError(
                f"TUNE_AT_ONCE: {at_once} needs a launcher that runs trials side by side, and launcher "
                f"{plan.launcher.name} does not. Install adapt-ray and set launcher: ray, or leave TUNE_AT_ONCE out."
            )
        return cls(launcher, at_once)

    def run(
        self, space: Space, registry: Registry, trials: Sequence[Trial], folder: Path, rung: int, seconds: float
    ) -> Iterator[TrialRun]:
        """Yield the run of each trial on a rung, as they end.

        A trial has one process, and the global batch of the final run's by accumulation. One that cannot train, or
        whose process dies, has failed.

        Raises:
            InputError: the engine cannot be reached, or has too little for one trial.
            DefectError: a run or the engine failed for another reason than its settings.
        """
        begun: list[tuple[TrialRun, Plan]] = []
        for trial in trials:
            run = run_of(trial, rung)
            try:
                plan = resolve(space.with_settings(trial.settings), registry)
            except InputError as error:
                yield attrs.evolve(run, failed=str(error))
                continue
            begun.append((run, trial_plan(self._alone(plan, registry), folder / run.folder, seconds, first=False)))
        started = time.monotonic()
        with quiet():
            for index, outcome in self.launcher.run_side_by_side([plan for _, plan in begun], self.at_once):
                run, plan = begun[index]
                took = min(time.monotonic() - started, seconds)
                if isinstance(outcome, RunResult):
                    yield measured(run, outcome, plan, registry, took)
                elif isinstance(outcome, InputError | LostProcessError):
                    yield attrs.evolve(run, failed=str(outcome), seconds=took)
                else:
                    raise outcome

    def _alone(self, plan: Plan, registry: Registry) -> Plan:
        """Return a plan for one process, with the rows of a step of all that its launcher would start."""
        local = registry.launchers.find("local")
        assert local is not None
        processes = self.launcher.processes() if isinstance(self.launcher, SupportsRankMemory) else 1
        training = plan.training
        steps = training.gradient_accumulation_steps * processes
        return attrs.evolve(
            plan,
            launcher=choice_of(local, local.spec.load_params()()),
            training=attrs.evolve(training, gradient_accumulation_steps=steps),
        )
