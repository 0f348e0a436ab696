"""The hooks between adapt's core and its plugins.

A plugin is a module (or object) that an entry point of the group `adapt` names. It implements any of the
functions below, marked with `adapt_core.plugin.hookimpl`. The module must import nothing heavy: it is imported by
every `adapt plugins` and at the start of every run.

A plugin that was written for a later version of these hooks says so with `adapt_hook_api = N`; a core that
is older reports it and goes on without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pluggy import HookspecMarker

from adapt_core.plugin.command_spec import CommandSpec
from adapt_core.plugin.exporter_spec import ExporterSpec
from adapt_core.plugin.metric_spec import MetricSpec
from adapt_core.plugin.specs import (
    DataCheckSpec,
    FormatSpec,
    LauncherSpec,
    MethodSpec,
    OptionalDependency,
    QuantizerSpec,
    TaskSpec,
    TrackerSpec,
)

if TYPE_CHECKING:
    from pathlib import Path

    from adapt_core.result import RunResult

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
def adapt_formats() -> list[FormatSpec]:
    """Return the formats of data that this plugin reads. Called once, when plugins are discovered."""
    raise NotImplementedError


@hookspec
def adapt_data_checks() -> list[DataCheckSpec]:
    """Return the checks of the data before training. Called once, when plugins are discovered."""
    raise NotImplementedError


@hookspec
def adapt_metric_specs() -> list[MetricSpec]:
    """Return the metrics that METRICS can choose. Called once, when plugins are discovered.

    (`adapt_metrics` is another hook: it observes the figures of a run.)
    """
    raise NotImplementedError


@hookspec
def adapt_exporters() -> list[ExporterSpec]:
    """Return the forms in which this plugin exports models. Called once, when plugins are discovered."""
    raise NotImplementedError


@hookspec
def adapt_trackers() -> list[TrackerSpec]:
    """Return the trackers that TRACKERS can choose. Called once, when plugins are discovered."""
    raise NotImplementedError


@hookspec
def adapt_commands() -> list[CommandSpec]:
    """Return the commands of `adapt` that this plugin provides. Called once, when plugins are discovered."""
    raise NotImplementedError


@hookspec
def adapt_optional_dependencies() -> list[OptionalDependency]:
    """Return the optional dependencies that this plugin can use, for `adapt doctor`. Called by nothing else."""
    raise NotImplementedError


@hookspec
def adapt_run_started(config: Mapping[str, Any], output_dir: Path, resumed: bool) -> None:
    """Observe that a run starts. Called on rank 0, after data and model were loaded, before "before" is measured.

    An observer that raises is reported once and then left out; it never stops the run.

    Args:
        config: every resolved key of the run.
        output_dir: the run folder.
        resumed: whether the run continues an earlier one in this folder.
    """


@hookspec
def adapt_metrics(phase: str, step: int, epoch: float, metrics: Mapping[str, float]) -> None:
    """Observe figures of a run. Called on rank 0 whenever the loop logs: losses, learning rate, evaluations.

    Args:
        phase: "before", "train", "eval", "after" or "test".
        step: optimizer steps done.
        epoch: epochs done, fractional.
        metrics: names to numbers, as in a line of `metrics.jsonl`.
    """


@hookspec
def adapt_run_finished(result: RunResult) -> None:
    """Observe that a run finished. Called on rank 0, after `result.json` was written."""
