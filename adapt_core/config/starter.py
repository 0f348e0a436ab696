"""A starter config: every key of a task and method with its default, explained by its own declaration."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import attrs

from adapt_core.config.core_params.groups import GROUPS, changed_by
from adapt_core.config.fitting import USUAL_WIDTH, fitting_rate
from adapt_core.config.plan import Plan
from adapt_core.config.reader import read_overrides
from adapt_core.config.resolver import RunConfig, resolve
from adapt_core.config.values import bounds_in_words, is_not_given
from adapt_core.plugin.params import Parameter, parameters_of
from adapt_core.plugin.registry import Registry

_TO_FILL = {"model_path": "MODEL_PATH", "custom_dataset_path": "CUSTOM_DATASET_PATH"}
_OTHER_PLACES = {"model_path": {"local_model_path"}, "custom_dataset_path": {"dataset", "train_dir"}}
"""A key to fill in -> the keys that make it superfluous."""

_AT_THE_TOP = {"task", "method", "full_fine_tuning"}
_TITLES = {
    "data": "Data",
    "model": "Model",
    "training": "Training",
    "run": "Run",
    "task": "Task",
    "method": "Method",
    "quantizer": "Quantization",
    "launcher": "Launcher",
}
_BARE = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")
_WIDTH = 100


def starter_config(task: str, method: str | None, overrides: Iterable[str], registry: Registry) -> str:
    """Return the text of a config for a task.

    Args:
        task: its name.
        method: its name, or None for what the overrides say (the method full where they say nothing).
        overrides: "KEY=VALUE" strings, as `--set` takes them.
        registry: the plugins to choose from.

    Returns:
        YAML text that resolves once its keys to fill in (MODEL_PATH, CUSTOM_DATASET_PATH) have values.

    Raises:
        ConfigError: with every problem of what was given.
    """
    pairs = list(overrides)
    given = {entry.key.casefold() for entry in read_overrides(pairs) if not is_not_given(entry.value)}
    keys: dict[str, Any] = {"TASK": task, **({"method": method} if method else {})}
    spec = registry.tasks.find(task)
    defaults = spec.spec.core_defaults if spec else {}
    to_fill = [
        key
        for folded, key in _TO_FILL.items()
        if folded not in given and folded not in defaults and not _OTHER_PLACES[folded] & given
    ]
    plan = resolve(RunConfig.read({**keys, **dict.fromkeys(to_fill, "to be filled in")}, pairs), registry)
    if "lr" not in given:
        plan = attrs.evolve(plan, training=attrs.evolve(plan.training, lr=fitting_rate(plan)))
    changed = changed_by(registry.task_spec(plan.task.name))
    remarks = {} if "lr" in given else {"lr": _rate_remark(plan)}
    entries = _sections(plan, {parameter.folded: parameter for parameter in changed}, set(to_fill), remarks)
    return "\n".join([*_head(plan, to_fill), *entries, ""])


def _head(plan: Plan, to_fill: list[str]) -> Iterator[str]:
    wanted = f" Fill in {' and '.join(to_fill)}, then:" if to_fill else ""
    yield from _comment(f"A starter config for {plan.task.name} with {plan.method.name}, made by adapt init.{wanted}")
    yield "#   adapt check FILE    what will happen, before anything expensive"
    yield "#   adapt run FILE"
    yield from _comment("A key that is commented out is not given; an empty value means the same.")
    yield ""
    yield f"TASK: {plan.task.name}"
    yield f"method: {plan.method.name}"


def _rate_remark(plan: Plan) -> str:
    return (
        f"This fits {plan.method.name} and {plan.task.name}, a model {USUAL_WIDTH} wide where that matters; a config "
        "without LR has the default, 0.0001. SETTINGS: auto fits EPOCHS and BATCH_SIZE too, where they are not given; "
        "adapt tune searches."
    )


def _sections(
    plan: Plan, changed: Mapping[str, Parameter], to_fill: set[str], remarks: Mapping[str, str]
) -> Iterator[str]:
    slots = {name: getattr(plan, name) for name in ("task", "method", "quantizer", "launcher")}
    chosen = {slot: choice.params for slot, choice in slots.items() if choice is not None}
    overridden = {key for params in chosen.values() for key in parameters_of(type(params))}
    groups = {name: getattr(plan, name) for name in GROUPS}
    for name, params in {**groups, **chosen}.items():
        hidden = _AT_THE_TOP | (overridden if name in groups else set())
        of_task = changed if name in groups else {}
        own = parameters_of(type(params))
        parameters = [of_task.get(folded, item) for folded, item in own.items() if folded not in hidden]
        if not parameters:
            continue
        owner = f" ({slots[name].name} of {slots[name].distribution})" if name in slots else ""
        yield from ("", f"# ---- {_TITLES[name]}{owner} ----")
        for parameter in parameters:
            yield ""
            yield from _comment(remarks.get(parameter.folded, ""))
            yield from _entry(parameter, getattr(params, parameter.attribute), parameter.key in to_fill)


def _entry(parameter: Parameter, value: object, to_fill: bool) -> Iterator[str]:
    declaration = parameter.declaration
    limits = ", ".join(map(str, declaration.choices)) if declaration.choices else bounds_in_words(parameter)
    yield from _comment(f"{declaration.help} [{limits}]" if limits else declaration.help)
    if to_fill:
        yield f"{parameter.key}:"
    elif value is None or value == ():
        yield f"# {parameter.key}:"
    else:
        yield f"{parameter.key}: {_spell(value)}"


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent="# ", subsequent_indent="# ")


def _spell(value: object) -> str:
    """Return a value as YAML 1.2 in one line; JSON is YAML."""
    if isinstance(value, str) and _BARE.fullmatch(value) and value.casefold() not in ("true", "false", "yes", "no"):
        return value if not is_not_given(value) and value.casefold() != "null" else json.dumps(value)
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)
