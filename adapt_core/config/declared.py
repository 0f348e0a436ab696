"""Every parameter that is declared: core's, and those of all that is installed: tasks, methods, ..., exporters."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from adapt_core.config.core_params.groups import GROUPS, changed_by
from adapt_core.plugin.params import Parameter, parameters_of
from adapt_core.plugin.registry import Registry
from adapt_core.plugin.specs import TaskSpec


@attrs.frozen
class Owned:
    """The parameters of one owner.

    Attributes:
        title: for a heading, as "method LoRA (adapt-peft-ssf 0.1.0)".
        name: of the owner: a group of core's, or the name of a spec.
        parameters: in the order of their declaration.
    """

    title: str
    name: str
    parameters: tuple[Parameter, ...]


def declared(registry: Registry) -> Iterator[Owned]:
    """Yield the parameters of each owner; a task's with those of core's that it changes."""
    for name, group in GROUPS.items():
        yield Owned(f"core: {name}", name, tuple(parameters_of(group).values()))
    for shelf in (registry.tasks, registry.methods, registry.quantizers, registry.launchers):
        for item in shelf:
            title = f"{shelf.kind} {item.spec.name} ({item.provenance})"
            changed = changed_by(item.spec) if isinstance(item.spec, TaskSpec) else []
            yield Owned(title, item.spec.name, (*registry.parameters(item).values(), *changed))
    for further in (registry.metrics, registry.exporters, registry.commands):
        for named in further:
            if own := registry.parameters(named):  # most take none
                yield Owned(
                    f"{further.kind} {named.spec.name} ({named.provenance})", named.spec.name, tuple(own.values())
                )
