"""The trials of a search, in an Optuna study on SQLite: what a killed search goes on from."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from adapt_core.errors import InputError

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial, Trial

FILE = "study.db"
_NAME = "adapt tune"
_STARTUP = 6
"""Settings at random before Optuna's tree-structured Parzen estimator proposes any."""


@attrs.frozen(kw_only=True)
class TrialRun:
    """One run of a trial, as `tuning.json` has it.

    Attributes:
        trial: its number; 0 has the config as it stands.
        rung: of successive halving, from 0; -1 for the final run.
        folder: in the folder of the search.
        settings: what the trial changes in the config.
        metric: the one that decides.
        value: its value after training; None where the run failed.
        score: the same, with its sign turned where lower is better.
        margin: from the score down to the worse end of its 95 % interval.
        loss: on the validation split; None where the task has none.
        steps, planned_steps: optimizer steps done, and those of the config.
        seconds: of the whole run.
        train_seconds: of its training.
        failed: the reason why it has no value.
    """

    trial: int
    rung: int
    folder: str
    settings: Mapping[str, Any]
    metric: str = ""
    value: float | None = None
    score: float | None = None
    margin: float = 0.0
    loss: float | None = None
    steps: int = 0
    planned_steps: int = 0
    seconds: float = 0.0
    train_seconds: float = 0.0
    failed: str | None = None

    @property
    def is_whole(self) -> bool:
        """Whether it trained all the steps of its config, so that more time would change nothing."""
        return self.value is not None and self.steps >= self.planned_steps

    @property
    def step_seconds(self) -> float:
        """Seconds of an optimizer step."""
        return self.train_seconds / max(self.steps, 1)


_NEAR = 0.25
"""Scores differ by less than the rows can tell within this share of the way to the end of the best one's interval."""


def ranked(runs: Iterable[TrialRun]) -> list[TrialRun]:
    """Return runs by what promises most, the best first; failed ones last.

    The score decides. Among runs whose scores do not differ from the best one's by what the rows can tell (after few
    steps several settings may be at the score of a guess) it is the loss, which sees every row's probabilities.
    """
    found = sorted(runs, key=lambda run: (run.score is None, -(run.score or 0.0), run.trial))
    if not found or (best := found[0]).score is None:
        return found
    least = best.score - _NEAR * best.margin
    near = [run for run in found if run.score is not None and run.score >= least]
    if all(run.loss is not None for run in near):
        near.sort(key=lambda run: (run.loss or 0.0, run.trial))
    return [*near, *(run for run in found if run not in near)]


@attrs.frozen
class Trials:
    """The study of a search.

    Attributes:
        study: of Optuna. It knows scores: higher is always better.
    """

    study: Study

    @classmethod
    def open(cls, folder: Path, seed: int, what: Mapping[str, Any]) -> Trials:
        """Open the study of a folder, or begin one.

        Args:
            folder: of the search.
            seed: of the settings that are proposed.
            what: everything that must not differ where a search goes on.

        Raises:
            InputError: the study there is of another search, or cannot be read.
        """
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
        try:
            study = optuna.create_study(
                storage=f"sqlite:///{folder / FILE}",
                study_name=_NAME,
                direction="maximize",
                load_if_exists=True,
            )
        except Exception as error:
            raise InputError(
                f"{folder / FILE} cannot be opened as a study ({type(error).__name__}). Give another OUTPUT_DIR."
            ) from error
        study.sampler = optuna.samplers.TPESampler(n_startup_trials=_STARTUP, seed=seed + len(study.trials))
        now, kept = json.dumps(what, sort_keys=True), study.user_attrs.get("what")
        if kept is None:
            study.set_user_attr("what", now)
        elif kept != now:
            before = json.loads(kept)
            names = [name for name in {**before, **what} if before.get(name) != json.loads(now).get(name)]
            raise InputError(
                f"the search in {folder} cannot go on with other values of {', '.join(names)}. Give the same ones, or "
                "another OUTPUT_DIR."
            )
        return cls(study)

    @property
    def spent(self) -> float:
        """Seconds that earlier commands have used."""
        return float(self.study.user_attrs.get("spent", 0.0))

    def spend(self, seconds: float) -> None:
        """Record the seconds that were used in all."""
        self.study.set_user_attr("spent", seconds)

    @property
    def kept(self) -> float:
        """Seconds that are kept for the final run."""
        return float(self.study.user_attrs["final"])

    def keep(self, seconds: float) -> None:
        """Record the seconds that are kept for the final run."""
        self.study.set_user_attr("final", seconds)

    def propose(self, starts: list[Mapping[str, Any]]) -> Trial:
        """Return a new trial, of the first of some settings that are not tried yet."""
        number = len(self.study.trials)
        if 0 < number <= len(starts):  # the first is the config as it stands
            self.study.enqueue_trial(dict(starts[number - 1]))
        return self.study.ask()

    def again(self, number: int) -> Trial:
        """Return the trial of a number, begun by an earlier command."""
        from optuna.trial import Trial

        return Trial(self.study, self.study.trials[number]._trial_id)

    def add(self, run: TrialRun) -> None:
        """Add a run to its trial."""
        trial = self.again(run.trial)
        told = self.study.trials[run.trial].intermediate_values
        if run.score is not None and run.rung >= 0 and run.rung not in told:  # Optuna keeps the first of each rung
            trial.report(run.score, run.rung)
        runs = [*self.study.trials[run.trial].user_attrs.get("runs", []), attrs.asdict(run)]
        trial.set_user_attr("runs", runs)

    def runs(self) -> Iterator[TrialRun]:
        """Yield all runs, trial by trial."""
        for trial in self.study.trials:
            for run in trial.user_attrs.get("runs", []):
                yield TrialRun(**run)

    def of_rung(self, rung: int) -> list[TrialRun]:
        """Return the runs of a rung, the best first; failed ones last. Of a trial it is its last run there."""
        return ranked({run.trial: run for run in self.runs() if run.rung == rung}.values())

    def best(self) -> TrialRun | None:
        """Return the best of all runs, the one with the most steps among equals."""
        found = [run for run in self.runs() if run.score is not None]
        return min(found, key=lambda run: (-(run.score or 0.0), run.rung >= 0, -run.steps), default=None)

    def end(self, number: int, *, pruned: bool) -> None:
        """End a trial: pruned, complete with its last value, or failed where it has none."""
        from optuna.trial import TrialState

        trial: FrozenTrial = self.study.trials[number]
        if trial.state.is_finished():
            return
        values = [run["score"] for run in trial.user_attrs.get("runs", []) if run["score"] is not None]
        if not values:
            self.study.tell(number, state=TrialState.FAIL)
        elif pruned:
            self.study.tell(number, state=TrialState.PRUNED)
        else:
            self.study.tell(number, values[-1])
