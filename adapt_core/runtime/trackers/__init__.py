"""Trackers that core brings: observers that a config switches on with TRACKERS.

They use the same hooks as a plugin's. A third party's tracker is a plugin that implements these hooks, and needs no
key: it observes wherever it is installed (`adapt -p no:NAME` leaves it out).

tensorboard.py  event files for TensorBoard
"""

from __future__ import annotations

from importlib.util import find_spec

import attrs

from adapt_core.config.plan import Plan
from adapt_core.errors import InputError
from adapt_core.plugin.import_strings import load_object
from adapt_core.plugin.registry import Registry


@attrs.frozen
class BuiltIn:
    """A tracker of core's.

    Attributes:
        implementation: "package.module:Class"; its instances carry hook implementations.
        package: the package it needs.
        add: the command that installs it.
    """

    implementation: str
    package: str
    add: str


BUILT_IN = {
    "tensorboard": BuiltIn(
        "adapt_core.runtime.trackers.tensorboard:TensorBoard", "tensorboard", "pip install 'adapt-core[tensorboard]'"
    )
}


def require_trackers(plan: Plan) -> None:
    """Check that what the plan's trackers need is installed.

    Raises:
        InputError: a package is missing.
    """
    for name in plan.run.trackers:
        if find_spec(BUILT_IN[name].package) is None:
            raise InputError(f"TRACKERS: {name} needs a package that is not installed: {BUILT_IN[name].add}")


def start_trackers(plan: Plan, registry: Registry) -> None:
    """Register a plan's trackers as observers. On rank 0 only."""
    for name in dict.fromkeys(plan.run.trackers):
        if registry.manager.has_plugin(name):
            registry.manager.unregister(name=name)
        registry.manager.register(load_object(BUILT_IN[name].implementation)(), name)
