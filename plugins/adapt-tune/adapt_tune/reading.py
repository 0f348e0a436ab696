"""The search that a config and a time ask for."""

from __future__ import annotations

import time
from collections.abc import Callable

from adapt_core.config.resolver import RunConfig, resolve
from adapt_core.config.stop_after import budget_seconds
from adapt_core.config.values import ValueProblem, convert, is_not_given
from adapt_core.errors import ConfigError, InputError, Problem
from adapt_core.plugin.params import parameters_of
from adapt_core.plugin.registry import Registry

from adapt_tune.engine import Engine
from adapt_tune.params import TuneParams
from adapt_tune.space import read_space
from adapt_tune.tuning import Search


def _number(config: RunConfig, name: str) -> int:
    """Return TUNE_TRIALS or TUNE_AT_ONCE of a config.

    Raises:
        ConfigError: it is no whole number above 0.
    """
    own = {entry.key.casefold(): entry for entry in (*config.entries, *config.overrides)}
    given = own.get(name)
    if given is None or is_not_given(given.value):
        return int(getattr(TuneParams(), name))
    try:
        return int(convert(given.value, parameters_of(TuneParams)[name]))
    except ValueProblem as error:
        raise ConfigError([Problem(str(error), key=given.key, where=given.where)]) from None


def read_search(
    config: RunConfig,
    registry: Registry,
    budget: str | None,
    *,
    strict: bool,
    say: Callable[[str], None],
    since: float | None = None,
) -> Search:
    """Return the search of a config.

    Args:
        config: as read.
        registry: the plugins.
        budget: the time; BUDGET of the config without it.
        strict: a documented key that a run does not use is an error.
        say: shows a line.
        since: when the command began, by the monotonic clock; now without it.

    Raises:
        ConfigError: with every problem of the config.
        InputError: there is no time given, or the config asks for several runs or none.
    """
    since = time.monotonic() if since is None else since
    space = read_space(config, registry, strict=strict)
    plan = resolve(space.config, registry)
    try:
        seconds = budget_seconds(budget or plan.training.budget)
    except ValueError as error:
        raise InputError(f"--budget {error} Give it a time.") from None
    if seconds == float("inf"):
        raise InputError("adapt tune needs a time: --budget 20m, or BUDGET in the config.")
    training = plan.training
    if training.seeds or plan.data.folds or not (training.do_train and training.do_eval):
        raise InputError(
            "adapt tune trains and evaluates each setting once. Leave SEEDS, FOLDS, DO_TRAIN and DO_EVAL out."
        )
    at_once = _number(config, "tune_at_once")
    return Search(
        space=space,
        plan=plan,
        registry=registry,
        seconds=seconds,
        most=_number(config, "tune_trials"),
        engine=Engine.of(plan, at_once) if at_once > 1 else None,
        since=since,
        say=say,
    )
