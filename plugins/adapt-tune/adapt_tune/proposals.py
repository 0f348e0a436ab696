"""The settings that are tried next: the config as it stands, those that fit, then what Optuna proposes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapt_core.config.fitting import AUTO

from adapt_tune.space import Settings, Space
from adapt_tune.study import Trials
from adapt_tune.trials import Trial

if TYPE_CHECKING:
    from optuna.trial import Trial as Proposed

OWN = 0
"""The trial that has the config as it stands."""


def next_trials(trials: Trials, space: Space, method: str, count: int) -> list[Trial]:
    """Return settings without a run: those that an earlier command had begun, then new ones.

    Args:
        trials: of the search.
        space: what it varies.
        method: of the config.
        count: how many are wanted.
    """
    study = trials.study
    numbers = [one.number for one in study.trials if not one.state.is_finished() and not one.user_attrs.get("runs")]
    begun = [trials.again(number) for number in numbers[:count]]
    new = [trials.propose(list(space.starts)) for _ in range(count - len(begun))]
    return [_settled(trial, space, method) for trial in (*begun, *new)]


def _settled(trial: Proposed, space: Space, method: str) -> Trial:
    """Return the settings of a trial of the study, and keep them there."""
    settings = trial.user_attrs.get("settings")
    if settings is None:
        settings = space.settings_of(trial, method) if trial.number != OWN else {}
        if OWN < trial.number <= len(space.starts):
            settings = space.with_auto(settings)
        elif trial.number != OWN and space.chooses_epochs:
            settings["SETTINGS"] = AUTO  # a trial's time decides how many of them it passes
        trial.set_user_attr("settings", settings)
    return Trial(trial.number, settings)


def trial_with(trials: Trials, settings: Settings) -> Trial:
    """Return a new trial with settings that are known."""
    trial = trials.study.ask()
    trial.set_user_attr("settings", settings)
    return Trial(trial.number, settings)
