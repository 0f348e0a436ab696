"""The resolved config of a run as a table, with what differs from the defaults."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs

from adapt_core.config.core_params.groups import GROUPS
from adapt_core.config.plan import Plan
from adapt_core.plugin.params import parameters_of
from adapt_core.plugin.registry import Registry
from adapt_core.runtime.format import setting


@attrs.frozen
class Setting:
    """One key of a resolved config.

    Attributes:
        owner: core's group, or the name of the task, method, quantizer or launcher.
        key, value, default, help: in words; the default is the one of this task.
        changed: whether the value is not the default.
    """

    owner: str
    key: str
    value: str
    default: str
    help: str
    changed: bool


def settings(plan: Plan, registry: Registry) -> Iterator[Setting]:
    """Return every key of a plan, in the order of declaration."""
    task = registry.tasks.find(plan.task.name)
    of_task = task.spec.core_defaults if task else {}
    for group in GROUPS:
        yield from _of(group, getattr(plan, group), of_task)
    for choice in (plan.task, plan.method, plan.quantizer, plan.launcher):
        if choice is not None:
            yield from _of(choice.name, choice.params, {})


def _of(owner: str, params: Any, other_defaults: Any) -> Iterator[Setting]:
    for parameter in parameters_of(type(params)).values():
        value = getattr(params, parameter.attribute)
        default = other_defaults.get(parameter.folded, parameter.default)
        yield Setting(
            owner, parameter.key, setting(value), setting(default), parameter.declaration.help, value != default
        )
