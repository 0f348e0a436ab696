"""The implementations that a plan names, imported and constructed."""

from __future__ import annotations

from typing import Any

import attrs

from adapt_core.config.plan import Plan
from adapt_core.contracts import Launcher, Method, Quantizer, Task
from adapt_core.errors import DefectError
from adapt_core.plugin.registry import Registry


@attrs.frozen(kw_only=True)
class Components:
    """What a plan names, ready to work. See `adapt_core.contracts`."""

    task: Task
    method: Method
    quantizer: Quantizer | None
    launcher: Launcher

    @classmethod
    def of(
        cls, plan: Plan, registry: Registry, task: Task | None = None, launcher: Launcher | None = None
    ) -> Components:
        """Constructs everything; a task and a launcher that were constructed for their checks are taken as they are."""
        return cls(
            task=task or instantiate(plan, "task", registry),
            method=instantiate(plan, "method", registry),
            quantizer=instantiate(plan, "quantizer", registry) if plan.quantizer else None,
            launcher=launcher or instantiate(plan, "launcher", registry),
        )


def instantiate(plan: Plan, slot: str, registry: Registry) -> Any:
    """The implementation of one slot of a plan. A task gets the plan, the others their params.

    Raises:
        DefectError: it cannot be imported; the message names its plugin.
    """
    choice = getattr(plan, slot)
    item = getattr(registry, f"{slot}s").find(choice.name)
    try:
        implementation = item.spec.load()
    except (ImportError, AttributeError) as error:
        raise DefectError(
            f"{slot} {choice.name!r} of {choice.distribution} {choice.version} cannot be imported: {error}."
        ) from error
    return implementation(plan if slot == "task" else choice.params)
