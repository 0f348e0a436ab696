"""What OPTIMIZER, SCHEDULER_TYPE and LOSS name by dotted names, checked before training."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from adapt_core.config.core_params.training import TrainingParams
from adapt_core.config.sections import Given
from adapt_core.config.selection import Selection
from adapt_core.errors import Problem
from adapt_core.plugin.import_strings import is_import_string

_OF_ADAMS = ("BETA1", "BETA2", "ADAM_EPS")
_OF_SCHEDULES = ("BEGIN", "END", "T_MAX", "MILESTONES", "GAMMA", "WARMUP")
"""The schedule keys of the OpenMMLab tasks."""


def named_code_problems(
    values: Mapping[str, Mapping[str, Any]],
    training: TrainingParams,
    places: Mapping[str, Given],
    selection: Selection,
) -> Iterator[Problem]:
    """Yield what speaks against the code that a config names, which is imported and tried. It may import torch.

    Args:
        values: slot -> attribute -> value, as given.
        training: of the plan.
        places: folded key -> where it was given.
        selection: what was chosen.
    """

    def problem(key: str, message: str, hint: str | None = None) -> Problem:
        place = places.get(key.casefold())
        return Problem(message, key=place.written if place else key, where=place.where if place else None, hint=hint)

    task, launcher = values["task"], selection.launcher
    named = {"OPTIMIZER": training.optimizer, "SCHEDULER_TYPE": training.scheduler_type, "LOSS": task.get("loss")}
    options = {"OPTIMIZER_OPTIONS": training.optimizer_options, "SCHEDULER_OPTIONS": training.scheduler_options}
    options["LOSS_OPTIONS"] = task.get("loss_options")
    for (key, name), (option, given) in zip(named.items(), options.items(), strict=True):
        if given and not (name and is_import_string(name)):
            yield problem(option, f"are of a dotted name, and {key} has none.", "Leave it out.")
    dotted = {key: name for key, name in named.items() if name and is_import_string(name)}
    further = {"OPTIMIZER": _OF_ADAMS, "SCHEDULER_TYPE": _OF_SCHEDULES}
    for key in dotted:
        for other in further.get(key, ()):
            if other.casefold() in places:
                yield problem(
                    other, f"has no effect on {dotted[key]}.", f"Leave it out; {key.partition('_')[0]}_OPTIONS goes."
                )
    if "OPTIMIZER" in dotted and launcher is not None and launcher.spec.shards_layers:
        message = f"a named optimizer sees whole parameters, and {launcher.spec.name} shards them."
        yield problem("OPTIMIZER", message, "Choose one of adapt's list, or DDP.")
    for key, check in _checks(training, task).items():
        if key in dotted and (fault := _fault_of(check)):
            yield problem(key, fault)


def _checks(training: TrainingParams, task: Mapping[str, Any]) -> dict[str, Callable[[], object]]:
    def optimizer() -> None:
        from adapt_core.nn.named.optimizers import require_steps

        options = training.optimizer_options or {}
        require_steps(training.optimizer, training.lr, training.weight_decay, options)

    def schedule() -> None:
        from adapt_core.nn.named.schedules import NamedSchedule, require_schedule

        require_schedule(NamedSchedule(training.scheduler_type, training.scheduler_options or {}, training.lr))

    def loss() -> None:
        from adapt_core.nn.named.losses import named_loss

        named_loss(task["loss"], task.get("loss_options") or {})

    return {"OPTIMIZER": optimizer, "SCHEDULER_TYPE": schedule, "LOSS": loss}


def _fault_of(check: Callable[[], object]) -> str | None:
    from adapt_core.nn.named.code import NamedCodeError

    try:
        check()
    except NamedCodeError as error:
        return str(error)
    return None
