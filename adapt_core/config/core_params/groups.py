"""The four groups together, and what a task changes in them."""

from __future__ import annotations

import attrs

from adapt_core.config.core_params.data import DataParams
from adapt_core.config.core_params.model import ModelParams
from adapt_core.config.core_params.run import RunParams
from adapt_core.config.core_params.training import TrainingParams
from adapt_core.plugin.params import Parameter, parameters_of
from adapt_core.plugin.specs import TaskSpec

GROUPS: dict[str, type] = {"data": DataParams, "model": ModelParams, "training": TrainingParams, "run": RunParams}
"""The groups of core's keys, by their attribute of a plan."""


def changed_by(task: TaskSpec) -> list[Parameter]:
    """Return the core parameters whose default or choices come from a task or its loop, with those."""
    core = {key: parameter for group in GROUPS.values() for key, parameter in parameters_of(group).items()}
    changed = []
    for key in dict.fromkeys((*task.core_defaults, *task.loop.choices)):
        declaration = core[key].declaration
        choices = task.loop.choices.get(key, declaration.choices)
        default = task.core_defaults.get(key, core[key].default)
        changed.append(attrs.evolve(core[key], default=default, declaration=attrs.evolve(declaration, choices=choices)))
    return changed
