"""A config, from wherever it comes, to a plan: the one function that the CLI and the Python API call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs

from adapt_core.config import reader
from adapt_core.config.continuation import going_on
from adapt_core.config.core_params.groups import GROUPS
from adapt_core.config.data_checks import unknown_checks
from adapt_core.config.exporters import select_exporters
from adapt_core.config.fitted_keys import settle_fitted
from adapt_core.config.fitting import fit_rate
from adapt_core.config.formats import serving_formats
from adapt_core.config.legacy_values import settle
from adapt_core.config.metrics import metric_choice, misfits, select_metrics, with_own_name
from adapt_core.config.named_code import named_code_problems
from adapt_core.config.ownership import Owned, assign
from adapt_core.config.plan import SLOTS, Plan
from adapt_core.config.reader import Entry
from adapt_core.config.rules import contradictions
from adapt_core.config.sections import Given, flatten, join
from adapt_core.config.selection import Selection, choice_of, chosen_method_name, select
from adapt_core.config.trackers import check_trackers
from adapt_core.errors import ConfigError, Problem
from adapt_core.plugin.params import parameters_of
from adapt_core.plugin.registry import Registry

_DATA_KEYS = ("DATASET", "DATASET_SUBNAME", "DATASET_CONFIG", "DATA_FORMAT", "TRAIN_DIR", "VAL_DIR", "TEST_DIR")


@attrs.frozen
class RunConfig:
    """A config as read: entries with their places, and the overrides on top.

    Attributes:
        entries: in the order of the file.
        overrides: `--set` entries.
        name: what the run is called where nothing else names it (the file's stem).
        foreign: whether it comes with a run folder, see `Plan.foreign`.
    """

    entries: tuple[Entry, ...]
    overrides: tuple[Entry, ...] = ()
    name: str = "run"
    foreign: bool = False

    @classmethod
    def read(cls, config: str | Path | Mapping[str, Any], overrides: Iterable[str] = ()) -> RunConfig:
        """Read a file or a Python mapping.

        Raises:
            ConfigError: the file cannot be read as a config.
        """
        over = tuple(reader.read_overrides(overrides))
        if isinstance(config, Mapping):
            return cls(tuple(reader.read_mapping(config)), over)
        return cls(tuple(reader.read_file(config)), over, Path(config).stem)

    def reading(self, folder: Path) -> RunConfig:
        """Return the config with the data of a folder in place of the data that it names."""
        keys = {**dict.fromkeys(_DATA_KEYS), "CUSTOM_DATASET_PATH": str(folder)}
        return attrs.evolve(self, overrides=(*self.overrides, *reader.read_mapping(keys, "data")))


def resolve(config: RunConfig, registry: Registry, *, strict: bool = False, resume: bool = False) -> Plan:
    """Return the plan of a config. Imports nothing heavy.

    Args:
        config: what `RunConfig.read` returned.
        registry: the plugins to choose from.
        strict: whether a documented key that this run does not use is an error.
        resume: whether to go on from the newest complete checkpoint, whatever the config says.

    Raises:
        ConfigError: with every problem of the config.
    """
    flat = flatten(config.entries, registry)
    given, _ = join(flat, None, config.overrides)
    earlier, contradicted = going_on(given, registry)
    given, problems = join(flat, chosen_method_name({**earlier, **given}), config.overrides)
    given, remarks, faults = settle({**earlier, **given})
    problems += contradicted + faults + settle_fitted(given)
    selection = select(given, registry)
    select_metrics(given, registry, selection)
    select_exporters(given, registry, selection)
    check_trackers(given, registry, selection)
    selection.remarks += remarks
    owned = assign(given, selection, registry)
    problems += selection.problems + owned.problems
    if strict:
        problems += [
            Problem(
                f"not used by this run ({reason}). Remove it, or run without --strict.",
                key=key,
                where=_place(key, given),
            )
            for key, reason in owned.unused.items()
        ]
    core = _core_values(owned, problems)
    core["training"] = with_own_name(core["training"], selection, registry)
    problems += contradictions(core, owned.places, selection)
    problems += unknown_checks(core["run"], owned.places, registry)
    _require(selection, owned, problems)
    problems += _misfits(selection, owned, registry) if not problems else []
    if not (problems or config.foreign):
        problems += named_code_problems(owned.values, core["training"], owned.places, selection)
    if problems:
        raise ConfigError(sorted(problems, key=_order))
    return fit_rate(_plan(config, core, selection, owned, registry, resume), owned.values["training"])


def _place(key: str, given: Mapping[str, Given]) -> Any:
    return next((item.where for item in given.values() if item.written == key), None)


def _unused_in_words(unused: Mapping[str, str]) -> str:
    """Return unused keys with the reason: "r, alpha (read by LoRA); REPORT_TO (no effect: ...)".

    Keys with the same readers share it: a starter config has all keys of a method that `--set` may replace.
    """
    keys: dict[str, list[str]] = {}
    for key, reason in unused.items():
        keys.setdefault(reason if reason.startswith("read by") else f"{reason} {key}", []).append(key)
    return "; ".join(f"{', '.join(names)} ({unused[names[0]]})" for names in keys.values())


def _order(problem: Problem) -> tuple[int, int]:
    line = problem.where.line if problem.where else None
    return (0, line) if line is not None else (1, 0)


def _core_values(owned: Owned, problems: list[Problem]) -> dict[str, Any]:
    return {name: group(**owned.values[name]) for name, group in GROUPS.items()}


def _require(selection: Selection, owned: Owned, problems: list[Problem]) -> None:
    choices = [(slot, getattr(selection, slot)) for slot in SLOTS]
    choices += selection.named
    for slot, chosen in choices:
        if chosen is None:
            continue
        params = chosen.params_class()
        keys = {parameter.attribute: parameter.key for parameter in parameters_of(params).values()}
        for field in attrs.fields(params):
            if field.default is attrs.NOTHING and field.name not in owned.values[slot]:
                key = keys.get(field.name, field.name)
                problems.append(Problem(f"{chosen.spec.name} needs a value for {key}.", key=key))


def _misfits(selection: Selection, owned: Owned, registry: Registry) -> list[Problem]:
    """Return which of METRICS do not fit; they are asked once the task's own keys are known to be right."""
    assert selection.task is not None
    params = selection.task.params_class()(**owned.values["task"])
    return misfits(selection, params, owned.places, registry)


def _plan(
    config: RunConfig, core: dict[str, Any], selection: Selection, owned: Owned, registry: Registry, resume: bool
) -> Plan:
    assert selection.task is not None
    assert selection.method is not None
    assert selection.launcher is not None
    run = core["run"]
    name = config.name if config.name != "run" else selection.task.spec.name
    output_dir = Path(run.output_dir or Path("runs") / name).expanduser().absolute()
    stored = run.resume_from_checkpoint
    wanted = stored if isinstance(stored, str) and stored != "auto" else ("auto" if stored or resume else None)
    remarks = list(selection.remarks)
    if owned.unused:
        remarks.append(f"not used by this run: {_unused_in_words(owned.unused)}")
    selected = {slot: getattr(selection, slot) for slot in SLOTS}
    choices: dict[str, Any] = {
        slot: item and choice_of(item, item.params_class()(**owned.values[slot])) for slot, item in selected.items()
    }
    named = {slot: item.params_class()(**owned.values[slot]) for slot, item in selection.named}
    data, formats = serving_formats(core["data"], selection, choices["task"].params, owned.places, registry)
    return Plan(
        **choices,
        **{**core, "data": data},
        formats=formats,
        metrics=tuple(metric_choice(item, named[f"metric {item.spec.name}"]) for item in selection.metrics),
        exporters=tuple(choice_of(item, named[f"exporter {item.spec.name}"]) for item in selection.exporters),
        output_dir=str(output_dir),
        loop=selection.task.spec.loop.name,
        accelerators=selection.task.spec.loop.accelerators,
        trains_base=selection.method.spec.trains_base,
        resume=wanted,
        foreign=config.foreign,
        disabled_plugins=tuple(registry.disabled),
        remarks=tuple(remarks),
    )
