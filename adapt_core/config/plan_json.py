"""A plan as JSON text, for worker processes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import attrs

from adapt_core.config.core_params.groups import GROUPS
from adapt_core.config.metrics import metric_choice
from adapt_core.config.plan import SLOTS, Choice, FormatChoice, MetricChoice, Plan
from adapt_core.config.selection import choice_of
from adapt_core.config.values import convert, is_not_given
from adapt_core.errors import DefectError
from adapt_core.plugin.params import as_keys, parameters_of
from adapt_core.plugin.registry import Registered, Registry


def plan_to_json(plan: Plan) -> str:
    """Return a plan as JSON text. `plan_from_json` reads it."""
    data: dict[str, Any] = {
        "output_dir": plan.output_dir,
        "loop": plan.loop,
        "accelerators": plan.accelerators,
        "trains_base": plan.trains_base,
        "formats": [attrs.asdict(chosen) for chosen in plan.formats],
        "metrics": [_named(metric) for metric in plan.metrics],
        "exporters": [_named(exporter) for exporter in plan.exporters],
        "resume": plan.resume,
        "disabled_plugins": plan.disabled_plugins,
        "remarks": plan.remarks,
        "fitting": plan.fitting,
    }
    for group in GROUPS:
        data[group] = as_keys(getattr(plan, group))
    for slot in SLOTS:
        choice = getattr(plan, slot)
        data[slot] = None if choice is None else _choice_to_data(choice)
    return json.dumps(data)


def plan_from_json(text: str, registry: Registry) -> Plan:
    """Return the plan that `plan_to_json` wrote.

    Args:
        text: the JSON text.
        registry: must contain the plugins of the plan, in the same versions.

    Raises:
        DefectError: a plugin of the plan is not installed or has another version.
    """
    data = json.loads(text)
    groups: dict[str, Any] = {name: _restore(group, data[name]) for name, group in GROUPS.items()}
    choices: dict[str, Any] = {slot: data[slot] and _find(slot, data[slot], registry) for slot in SLOTS}
    return Plan(
        **groups,
        **choices,
        output_dir=data["output_dir"],
        loop=data["loop"],
        accelerators=None if data["accelerators"] is None else tuple(data["accelerators"]),
        trains_base=data["trains_base"],
        formats=tuple(FormatChoice(**{**one, "suffixes": tuple(one["suffixes"])}) for one in data["formats"]),
        metrics=tuple(_find_metric(one, registry) for one in data["metrics"]),
        exporters=tuple(_find("exporter", one, registry) for one in data["exporters"]),
        resume=data["resume"],
        disabled_plugins=tuple(data["disabled_plugins"]),
        remarks=tuple(data["remarks"]),
        fitting=tuple(data["fitting"]),
    )


def _named(chosen: MetricChoice | Choice) -> dict[str, Any]:
    told = {name: getattr(chosen, name) for name in ("name", "distribution", "version")}
    return {**told, "params": as_keys(chosen.params)}


def _choice_to_data(choice: Choice) -> dict[str, Any]:
    found = attrs.asdict(choice, recurse=False, filter=lambda attribute, _: attribute.name != "implementation")
    return {**found, "params": as_keys(choice.params)}


def _restore(params: type, keys: Mapping[str, Any]) -> Any:
    values = {}
    for parameter in parameters_of(params).values():
        value = keys[parameter.key]
        values[parameter.attribute] = None if is_not_given(value) else convert(value, parameter)
    return params(**values)


def _find(slot: str, data: Mapping[str, Any], registry: Registry) -> Choice:
    item = _registered(slot, data, registry)
    return choice_of(item, _restore(item.params_class(), data["params"]))


def _find_metric(data: Mapping[str, Any], registry: Registry) -> MetricChoice:
    item = _registered("metric", data, registry)
    return metric_choice(item, _restore(item.params_class(), data["params"]))


def _registered(slot: str, data: Mapping[str, Any], registry: Registry) -> Registered[Any]:
    item: Registered[Any] | None = getattr(registry, f"{slot}s").find(data["name"])
    wanted = f"{data['distribution']} {data['version']}"
    if item is None or str(item.provenance) != wanted:
        found = f"here it is {item.provenance}" if item else "it is not installed here"
        raise DefectError(f"the plan's {slot} {data['name']!r} comes from {wanted}; {found}.")
    return item
