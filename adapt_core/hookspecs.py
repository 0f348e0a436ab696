"""The hooks between adapt's core and its plugins.

A plugin is a module (or object) that an entry point of the group `adapt` names. It implements any of the
functions below, marked with `adapt_core.hookimpl`. The module must import nothing heavy: it is imported by
every `adapt plugins` and at the start of every run.

A plugin that was written for a later version of these hooks says so with `adapt_hook_api = N`; a core that
is older reports it and goes on without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pluggy import HookspecMarker

from adapt_core.specs import LauncherSpec, MethodSpec, OptionalPart, QuantizerSpec, TaskSpec

if TYPE_CHECKING:
    from adapt_core.plan import Plan
    from adapt_core.result import RunResult

HOOK_API = 1
"""The version of these hooks. It rises when a plugin written for it would not work with an older core."""

hookspec = HookspecMarker("adapt")


@hookspec
def adapt_tasks() -> list[TaskSpec]:
    """Return the tasks this plugin provides. Called once, when plugins are discovered."""
    raise NotImplementedError


@hookspec
def adapt_methods() -> list[MethodSpec]:
    """Return the methods this plugin provides. Called once, when plugins are discovered."""
    raise NotImplementedError


@hookspec
def adapt_quantizers() -> list[QuantizerSpec]:
    """Return the quantizers this plugin provides. Called once, when plugins are discovered."""
    raise NotImplementedError


@hookspec
def adapt_launchers() -> list[LauncherSpec]:
    """Return the launchers this plugin provides. Called once, when plugins are discovered."""
    raise NotImplementedError


@hookspec
def adapt_parts() -> list[OptionalPart]:
    """Return the optional parts that this plugin can use, for `adapt doctor`. Called by nothing else."""
    raise NotImplementedError


@hookspec
def adapt_run_started(plan: Plan) -> None:
    """Observe that a run starts. Called on rank 0, after data and model were loaded, before "before" is measured.

    An observer that raises is reported once and then left out; it never stops the run.
    """


@hookspec
def adapt_metrics(phase: str, step: int, epoch: float, metrics: Mapping[str, float]) -> None:
    """Observe figures of a run. Called on rank 0 whenever the loop logs: losses, learning rate, evaluations.

    Args:
        phase: "before", "train", "eval", "after" or "test".
        step: optimizer steps done.
        epoch: epochs done, fractional.
        metrics: names to numbers, as a line of `metrics.jsonl` holds them.
    """


@hookspec
def adapt_run_finished(result: RunResult) -> None:
    """Observe that a run finished. Called on rank 0, after `result.json` was written."""
