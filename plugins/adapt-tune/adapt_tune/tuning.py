"""The search: trials on rungs of successive halving, then the final run with the best settings."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path

import attrs

from adapt_core.config.plan import Plan
from adapt_core.errors import InputError, InterruptedRunError
from adapt_core.execution.budgets import pieces_of
from adapt_core.execution.components import check_task, make_task
from adapt_core.plugin.registry import Registry
from adapt_core.run_folder.names import is_run_folder
from adapt_core.run_folder.paths import RunFolder

from adapt_tune.earlier import remove_other_trials
from adapt_tune.engine import Engine
from adapt_tune.final import FINAL, train_final
from adapt_tune.halving import Rung, final_seconds, first_seconds, fitting_rungs
from adapt_tune.proposals import OWN, next_trials, trial_with
from adapt_tune.space import Space
from adapt_tune.study import FILE, TrialRun, Trials
from adapt_tune.trials import Trial, run_trial

_RESERVE_SHARE, _RESERVE_SECONDS = 0.02, 2.5
"""For the report of all trials, and for ending."""
_FEWEST = 2
"""Where there is time for fewer trials, none is made: the final run takes the config as it stands."""
_SHORT = 0.8
"""Where the first run trained for less than this share of what others on its rung do, it is run again there."""
_LATE = 0.9
"""A trial begins while it leaves this share of the time that the final run has at least."""
_DOUBLED = 5.5
"""Twice the epochs are tried where so many times the time of a run is left: for them, and for the final run."""
_REPEATED = 1.5
"""A run that was whole is repeated as the final one in at most this many times its time."""


@attrs.frozen(kw_only=True)
class Search:
    """A search, ready to run.

    Attributes:
        space: what it varies.
        plan: of the config as it stands.
        registry: the plugins.
        seconds: the time for all of it.
        most: settings to try first.
        engine: where trials of a rung run side by side; None for one after the other, in this process.
        since: when the command began, by the monotonic clock.
        say: shows a line.
    """

    space: Space
    plan: Plan
    registry: Registry
    seconds: float
    most: int
    engine: Engine | None = None
    since: float
    say: Callable[[str], None]

    @property
    def folder(self) -> Path:
        """The folder of the search."""
        return Path(self.plan.output_dir)

    def execute(self, *, resume: bool) -> tuple[Trials, TrialRun]:
        """Search and train; return the trials and the best run. A finished search stays as it is.

        Raises:
            InputError: the config cannot be run as it stands, or the folder holds another search.
        """
        folder = RunFolder(self.folder)
        folder.prepare()
        with folder.locked():
            self._enter(resume)
            what = {**self.plan.arithmetic(), "what is searched": [one.name for one in self.space.dimensions]}
            trials = Trials.open(self.folder, self.plan.training.seed, what)
            if any(run.rung < 0 for run in trials.runs()) and (done := trials.best()) is not None:
                # A final run of what time is left would stand where the long one stood.
                self.say(f"the search in {self.folder} is finished. For another one give another OUTPUT_DIR.")
                return trials, done
            spent = trials.spent
            search = _Running(self, trials, spent)
            try:
                search.all_rungs()
                search.more_epochs()
                search.spare_time()
                best = search.final()
                if self.plan.run.overwrite_output_dir:
                    remove_other_trials(self.folder, {run.folder for run in trials.runs()})
            except (KeyboardInterrupt, InterruptedRunError) as stop:
                raise InterruptedRunError(
                    f"the search has {sum(1 for _ in trials.runs())} runs in {self.folder}. "
                    "Go on with the same command and --resume."
                ) from stop
            finally:
                trials.spend(spent + time.monotonic() - self.since)
        return trials, best

    def _enter(self, resume: bool) -> None:
        if is_run_folder(self.folder):
            raise InputError(f"OUTPUT_DIR {self.folder} is the folder of one run. Give the search one of its own.")
        if (self.folder / FILE).exists() and not resume:
            if not self.plan.run.overwrite_output_dir:
                raise InputError(
                    f"OUTPUT_DIR {self.folder} holds a search. Go on with it (--resume), or replace it "
                    "(--set OVERWRITE_OUTPUT_DIR=true)."
                )
            (self.folder / FILE).unlink()


class _Running:
    """A search while it runs."""

    def __init__(self, search: Search, trials: Trials, spent: float) -> None:
        self.search, self.trials, self.spent = search, trials, spent

    def left(self) -> float:
        """Return the seconds that are left for runs."""
        search = self.search
        reserve = max(_RESERVE_SECONDS, _RESERVE_SHARE * search.seconds)
        return search.seconds - reserve - self.spent - (time.monotonic() - search.since)

    def all_rungs(self) -> None:
        """Run the first trial, which shows what a run takes, and then rung by rung."""
        first = next(self.trials.runs(), None) or self.run_first()
        self.levels = self.planned(first)
        if not self.pays:
            self.search.say(
                "the budget holds no search that could pay: the rest is for the config as it stands. Give more time."
            )
            return
        self.run_own_again(first)
        for level, rung in enumerate(self.levels):
            going = self.going(level - 1, rung.trials) if level else []
            for run in self.trials.of_rung(level - 1) if level else []:
                if run not in going:
                    self.trials.end(run.trial, pruned=True)
            while trials := self.next_of(level, rung, going):
                self.run_all(trials, level, rung.seconds)

    def next_of(self, level: int, rung: Rung, going: list[TrialRun]) -> list[Trial]:
        """Return the trials that run next on a rung, as many as run at one time and as there is time for."""
        done = {run.trial for run in self.trials.of_rung(level)}
        waiting = [run for run in going if run.trial not in done and not run.is_whole]
        for run in going:
            if run.trial not in done and run.is_whole:  # it counts there as it is
                self.trials.add(attrs.evolve(run, rung=level))
        left = len(waiting) if level else rung.trials - len(done)
        while left > 0 and not self.fits(rung.seconds * math.ceil(left / self.at_once)):
            left -= 1
        if self.search.engine is None:
            left = min(left, 1)
        if level:
            return [Trial(run.trial, run.settings) for run in waiting[:left]]
        return self.new(max(left, 0))

    @property
    def at_once(self) -> int:
        """How many trials run at one time."""
        return self.search.engine.at_once if self.search.engine else 1

    def run_all(self, trials: list[Trial], level: int, seconds: float) -> None:
        """Run trials on a rung."""
        search = self.search
        if search.engine is None:
            for trial in trials:
                self.run(trial, level, seconds)
            return
        for run in search.engine.run(search.space, search.registry, trials, search.folder, level, seconds):
            self.record(run)

    @property
    def pays(self) -> bool:
        """Whether there is time for trials enough."""
        return self.levels[0].trials >= min(_FEWEST, self.search.most)

    def going(self, level: int, count: int) -> list[TrialRun]:
        """Return the runs of a rung whose settings go on, the best first.

        The config as it stands is always one of them: what is chosen in its place has won with as much time.
        """
        able = [run for run in self.trials.of_rung(level) if run.failed is None]
        found, own = able[:count], [run for run in able if run.trial == OWN]
        return found if not own or own[0] in found else [*found[: count - 1], *own]

    def run_own_again(self, first: TrialRun) -> None:
        """Run the config as it stands on the first rung, where its first run was much shorter than that of others."""
        runs = [run for run in self.trials.runs() if run.trial == OWN]
        rung = self.levels[0]
        training = rung.seconds - self.overhead(first)
        short = not first.is_whole and first.train_seconds < _SHORT * training
        if len(runs) == 1 and short and self.fits(rung.seconds):
            self.run(Trial(OWN, {}, again=True), 0, rung.seconds)

    def overhead(self, first: TrialRun) -> float:
        """Return the seconds that a run takes beside training."""
        pieces = pieces_of(self.search.plan)
        measured_here = [one for one in (pieces.evaluation, pieces.finishing) if one is not None]
        return sum(measured_here) or first.seconds / 3

    def run_first(self) -> TrialRun:
        """Run the config as it stands. What a process does once is done before: imports, and the tokens of texts."""
        plan = self.search.plan
        task = make_task(plan)
        check_task(plan, task)
        task.load_data()
        return self.run_new(first_seconds(self.search.seconds))

    def planned(self, first: TrialRun) -> tuple[Rung, ...]:
        """Return the rungs, decided once, by what the first run took beside its training."""
        study = self.trials.study
        if (kept := study.user_attrs.get("rungs")) is None:
            overhead, step = self.overhead(first), first.step_seconds
            self.trials.keep(final_seconds(self.search.seconds, overhead + step * first.planned_steps))
            seconds = max(0.0, self.left() - self.trials.kept) * self.at_once
            found = fitting_rungs(seconds, overhead, self.search.most, step, first.planned_steps)
            kept = [attrs.asdict(rung) for rung in found]
            study.set_user_attr("rungs", kept)
        return tuple(Rung(**one) for one in kept)

    def fits(self, seconds: float) -> bool:
        """Return whether a run of so many seconds leaves time for the final one."""
        return self.left() - seconds >= _LATE * self.trials.kept

    def run_new(self, seconds: float) -> TrialRun:
        """Run new settings on the first rung, or those that an earlier command had begun."""
        return self.run(self.new(1)[0], 0, seconds)

    def new(self, count: int) -> list[Trial]:
        """Return settings that have no run yet."""
        return next_trials(self.trials, self.search.space, self.search.plan.method.name, count)

    def run(self, trial: Trial, rung: int, seconds: float) -> TrialRun:
        """Run a trial in this process, and record it."""
        search = self.search
        run = run_trial(search.space, search.registry, trial, search.folder, rung, max(1.0, min(seconds, self.left())))
        self.record(run)
        return run

    def record(self, run: TrialRun) -> None:
        """Keep a run, and say what came of it."""
        search = self.search
        self.trials.add(run)
        self.trials.spend(self.spent + time.monotonic() - search.since)
        outcome = f"{run.metric} {run.value:.4g}" if run.value is not None else f"failed: {run.failed}"
        told = ", ".join(f"{key} {value}" for key, value in run.settings.items()) or "the config as it stands"
        search.say(f"{run.folder}  {run.steps} steps, {run.seconds:.0f} s  {outcome}  ({told})")
        if run.failed is not None:
            self.trials.end(run.trial, pruned=False)

    def more_epochs(self) -> None:
        """Double the epochs of the best settings while that helps, where they are open and there is time for it."""
        space = self.search.space
        best = self.candidate()
        while self.pays and space.chooses_epochs and best.is_whole and self.left() > _DOUBLED * best.seconds:
            epochs = float(RunFolder(self.search.folder / best.folder).stored_keys()["EPOCHS"])
            trial = trial_with(self.trials, {**best.settings, "EPOCHS": 2 * epochs})
            more = self.run(trial, len(self.levels) - 1, self.left() - _REPEATED * 2 * best.seconds)
            if (best := self.candidate()).trial != more.trial:
                return

    def spare_time(self) -> None:
        """Try further settings while the final run needs less time than is left: its data is small."""
        best = self.candidate()
        more = self.pays and len(self.trials.study.trials) < self.search.most
        while more and best.is_whole and self.left() - _REPEATED * best.seconds > 2 * self.levels[-1].seconds:
            self.run_new(self.levels[-1].seconds)
            best = self.candidate()
            more = len(self.trials.study.trials) < self.search.most

    def candidate(self) -> TrialRun:
        """Return the run whose settings the final one takes: the best of the highest rung that was reached.

        Of equals it is the config as it stands, and without time for a search as well.
        """
        if not self.pays:
            return next(run for run in self.trials.runs() if run.trial == OWN)
        for level in range(len(self.levels) - 1, -1, -1):
            found = [run for run in self.trials.of_rung(level) if run.value is not None]
            if found:
                return found[0]
        raise InputError("no trial of the search has trained. Look at their reasons above, and narrow TUNE.")

    def final(self) -> TrialRun:
        """Train with the best settings in the time that is left; return the best of all runs."""
        search, chosen = self.search, self.candidate()
        folder = RunFolder(search.folder / FINAL)
        self.trials.add(train_final(search.space, search.registry, chosen, folder, self.left()))
        for trial in self.trials.study.trials:
            self.trials.end(trial.number, pruned=trial.number != chosen.trial)
        best = self.trials.best()
        assert best is not None
        return best
