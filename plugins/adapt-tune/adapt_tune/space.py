"""What is searched: TUNE of a config, or learning rate, epochs, batch size, rank and method around what fits."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from adapt_core.config import reader
from adapt_core.config.declared import declared
from adapt_core.config.fitting import AUTO, fitting_rate
from adapt_core.config.plan import Plan
from adapt_core.config.reader import Entry
from adapt_core.config.resolver import RunConfig, resolve
from adapt_core.errors import ConfigError, Problem
from adapt_core.plugin.registry import Registry

if TYPE_CHECKING:
    from optuna.trial import Trial

OWN_KEYS = ("tune", "tune_trials", "tune_at_once")
_NOT_SEARCHED = frozenset(
    {
        *("task", "output_dir", "overwrite_output_dir", "logging_path", "budget", "stop_after", "seed", "seeds"),
        *("folds", "fold", "do_train", "do_eval", "metric_for_best", "resume_from_checkpoint", "resume_with_changes"),
        *("launcher", "ddp", "fsdp", *OWN_KEYS),
    }
)
_METHOD_SWITCHES = frozenset({"method", "peft_method", "peft_type", "full_fine_tuning", "last_layer_tuning"})
_FORM = "{range: [LOW, HIGH]}, {range: [LOW, HIGH], log: true}, or a list of choices"
_AROUND = 4.0
"""The learning rate is searched from a quarter to four times the one that fits."""
_RANKS = (4, 8, 16, 32)
_LEFT = ("EPOCHS", "BATCH_SIZE", "r")
"""What the settings that fit leave open: SETTINGS: auto chooses it by the rows, or its default fits."""
_DIGITS = 3

Settings = dict[str, Any]


@attrs.frozen
class Dimension:
    """A key that is searched.

    Attributes:
        key: as it is written.
        choices: its values; empty for a range.
        low, high: of a range.
        log: whether its logarithm is searched evenly.
        whole: whether its values are whole numbers.
        of: the method whose key it is alone; None for all that read it.
    """

    key: str
    choices: tuple[Any, ...] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    whole: bool = False
    of: str | None = None

    @property
    def name(self) -> str:
        """The name in the study."""
        return self.key if self.of is None else f"{self.key} ({self.of})"

    @property
    def ends(self) -> tuple[Any, ...]:
        """The values that decide whether all can be used."""
        return self.choices or (self.low, self.high)

    def holds(self, value: float) -> bool:
        """Return whether a number is one that is searched."""
        return value in self.choices if self.choices else self.low <= value <= self.high

    def suggest(self, trial: Trial) -> Any:
        """Return a value for a trial."""
        if self.choices:
            return trial.suggest_categorical(self.name, self.choices)
        if self.whole:
            return trial.suggest_int(self.name, int(self.low), int(self.high), log=self.log)
        return float(f"{trial.suggest_float(self.name, self.low, self.high, log=self.log):.{_DIGITS}g}")


@attrs.frozen
class Space:
    """Everything that a search varies.

    Attributes:
        config: the config, without the keys of the search.
        dimensions: what is searched; that of the method first.
        reads: folded name of each method -> the folded keys that a run with it reads.
        starts: settings to try before others, by name in the study: those that fit each method.
        auto: keys that the starts leave to SETTINGS: auto, or to their defaults.
    """

    config: RunConfig
    dimensions: tuple[Dimension, ...]
    reads: Mapping[str, frozenset[str]]
    starts: tuple[Settings, ...] = ()
    auto: frozenset[str] = frozenset()

    @property
    def chooses_epochs(self) -> bool:
        """Whether neither the config nor TUNE says how many epochs there are."""
        return "EPOCHS" in self.auto

    def with_auto(self, settings: Settings) -> Settings:
        """Return the settings of a start with SETTINGS: auto in place of what that leaves open."""
        kept = {key: value for key, value in settings.items() if key not in self.auto}
        return {**kept, "SETTINGS": AUTO}

    def settings_of(self, trial: Trial, method: str) -> Settings:
        """Return the settings of a trial.

        Args:
            trial: suggests the values.
            method: of the config, where the method is not searched.
        """
        settings: Settings = {}
        for dimension in self.dimensions:
            method = str(settings.get("method", method))
            mine = dimension.of is None or dimension.of.casefold() == method.casefold()
            if mine and dimension.key.casefold() in self.reads[method.casefold()]:
                settings[dimension.key] = dimension.suggest(trial)
        return settings

    def with_settings(self, settings: Mapping[str, Any]) -> RunConfig:
        """Return the config with settings on top."""
        given = tuple(reader.read_mapping(dict(settings), "adapt tune"))
        return attrs.evolve(self.config, overrides=(*self.config.overrides, *given))


def read_space(config: RunConfig, registry: Registry, *, strict: bool) -> Space:
    """Return what a config says is searched, every end and choice of it checked against the declared parameters.

    Raises:
        ConfigError: with every problem of the config and of TUNE.
    """
    own = [entry for entry in (*config.entries, *config.overrides) if entry.key.casefold() in OWN_KEYS]
    plain = attrs.evolve(
        config,
        entries=tuple(entry for entry in config.entries if entry not in own),
        overrides=tuple(entry for entry in config.overrides if entry not in own),
    )
    plan = resolve(plain, registry, strict=strict)
    written = [entry for entry in own if entry.key.casefold() == "tune" and entry.value is not None]
    dimensions = _written(written[-1], registry) if written else tuple(_usual(plain, plan, registry))
    methods = next((one.choices for one in dimensions if one.key.casefold() == "method"), (plan.method.name,))
    space = Space(plain, dimensions, {})
    reads: dict[str, frozenset[str]] = {}
    problems: list[Problem] = []
    for method in methods:
        at = {} if len(dimensions) and methods == (plan.method.name,) else {"method": method}
        found = _plan(space, at, registry, problems)
        if found is None:
            continue
        reads[str(method).casefold()] = frozenset(key.casefold() for key in found.keys())  # noqa: SIM118 - no mapping
        for dimension in dimensions:
            if dimension.of is None or dimension.of.casefold() == str(method).casefold():
                for value in dimension.ends:
                    _plan(space, {**at, dimension.key: value}, registry, problems)
    names = ", ".join(map(str, methods))
    for dimension in dimensions:
        if reads and not any(dimension.key.casefold() in keys for keys in reads.values()):
            problems.append(Problem(f"no run of the search reads it (methods: {names}). Remove it.", key=dimension.key))
    if problems:
        raise ConfigError(list(dict.fromkeys(problems)))
    given = {entry.key.casefold() for entry in _entries((*plain.entries, *plain.overrides))}
    tuned = {one.key.casefold() for one in dimensions} if written else set()
    auto = frozenset(key for key in _LEFT if key.casefold() not in given | tuned)
    space = attrs.evolve(space, reads=reads, auto=auto)
    return attrs.evolve(space, starts=tuple(_starts(space, methods, plan, registry)))


def _plan(space: Space, settings: Settings, registry: Registry, problems: list[Problem]) -> Plan | None:
    try:
        return resolve(space.with_settings(settings), registry)
    except ConfigError as error:
        problems += error.problems
        return None


def _written(entry: Entry, registry: Registry) -> tuple[Dimension, ...]:
    """Return the dimensions of TUNE."""
    if not isinstance(entry.value, tuple) or not entry.value:
        raise ConfigError([Problem(f"maps keys to {_FORM}.", key=entry.key, where=entry.where)])
    whole = {
        parameter.folded for owned in declared(registry) for parameter in owned.parameters if parameter.type is int
    }
    problems: list[Problem] = []
    found: list[Dimension] = []
    for one in entry.value:
        try:
            dimension = _dimension(one, one.key.casefold() in whole)
            if dimension.key.casefold() in {other.key.casefold() for other in found}:
                raise ValueError("is searched twice. Keep one of them.")
            found.append(dimension)
        except ValueError as error:
            problems.append(Problem(str(error), key=f"TUNE: {one.key}", where=one.where))
    if problems:
        raise ConfigError(problems)
    return tuple(sorted(found, key=lambda one: one.key.casefold() != "method"))


def _dimension(entry: Entry, whole: bool) -> Dimension:
    if entry.key.casefold() in _NOT_SEARCHED:
        raise ValueError("is not searched. Remove it from TUNE.")
    key = (
        "method" if entry.key.casefold() in _METHOD_SWITCHES - {"full_fine_tuning", "last_layer_tuning"} else entry.key
    )
    value = reader.plain(entry.value)
    given = {"choices": value} if isinstance(value, list) else value
    if (
        not isinstance(given, dict)
        or len(set(given) & {"range", "choices"}) != 1
        or set(given) - {"range", "log", "choices"}
    ):
        raise ValueError(f"must be {_FORM}; not {value!r}.")
    if "choices" in given:
        choices = given["choices"]
        plain = isinstance(choices, list) and all(isinstance(one, (str, int, float, bool)) for one in choices)
        if not plain or len(choices) < 2 or "log" in given:
            raise ValueError(f"choices are a list of two or more plain values; not {choices!r}.")
        return Dimension(key, tuple(choices))
    low, high = _ends(given["range"])
    log = given.get("log", False)
    if not isinstance(log, bool) or (log and low <= 0):
        raise ValueError("log is true or false, and needs a range above 0.")
    if whole and (low != int(low) or high != int(high)):
        raise ValueError(f"takes whole numbers; not {low:g} to {high:g}.")
    return Dimension(key, low=low, high=high, log=log, whole=whole)


def _ends(value: object) -> tuple[float, float]:
    if isinstance(value, list) and len(value) == 2:
        try:
            low, high = float(value[0]), float(value[1])
        except (TypeError, ValueError):
            low = high = math.nan
        if low < high and math.isfinite(low) and math.isfinite(high):
            return low, high
    raise ValueError(f"range is two numbers, the lower one first; not {value!r}.")


def _usual(config: RunConfig, plan: Plan, registry: Registry) -> Iterator[Dimension]:
    """Yield what is searched without TUNE."""
    given = {entry.key.casefold() for entry in _entries((*config.entries, *config.overrides))}
    methods = [plan.method.name]
    if not given & _METHOD_SWITCHES and plan.quantizer is None:
        methods += [name for name in ("LoRA",) if registry.methods.find(name)]
    if len(methods) > 1:
        yield Dimension("method", tuple(methods))
    for method in methods:
        rate = _rate(config, method, plan, registry)
        yield Dimension("LR", low=rate / _AROUND, high=rate * _AROUND, log=True, of=method)
    size = plan.training.batch_size
    yield Dimension("BATCH_SIZE", tuple(sorted({max(1, size // 2), size, size * 2})))
    if any("r" in registry.parameters(item) for item in registry.methods if item.spec.name in methods):
        yield Dimension("r", _RANKS)


def _rate(config: RunConfig, method: str, plan: Plan, registry: Registry) -> float:
    if method == plan.method.name:
        return fitting_rate(plan)
    given = tuple(reader.read_mapping({"method": method}, "adapt tune"))
    return fitting_rate(resolve(attrs.evolve(config, overrides=(*config.overrides, *given)), registry))


def _starts(space: Space, methods: Iterable[str], plan: Plan, registry: Registry) -> Iterator[Settings]:
    """Yield the settings that fit each method, as far as they are searched, to be tried before others."""
    several = any(one.key == "method" for one in space.dimensions)
    for method in map(str, methods):
        rate = _rate(space.config, method, plan, registry)
        if plan.training.settings == AUTO and method == plan.method.name and plan.training.lr == rate:
            continue  # the config as it stands
        start: Settings = {"method": method} if several else {}
        for one in space.dimensions:
            if one.key.casefold() == "lr" and one.of in (None, method) and one.holds(rate):
                start[one.name] = rate
        yield start


def _entries(entries: Iterable[Entry]) -> Iterator[Entry]:
    for entry in entries:
        if isinstance(entry.value, tuple):
            yield from _entries(entry.value)
        elif entry.value not in (None, "", False):
            yield entry
