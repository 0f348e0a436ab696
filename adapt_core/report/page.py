"""The report of one run: what its files and its plan say, gathered for the template."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

import attrs

from adapt_core.config.data_places import path_of_data
from adapt_core.config.metrics import bounds_of, metrics_of
from adapt_core.config.plan import Plan
from adapt_core.evaluation import direction_of
from adapt_core.plugin.registry import Registry
from adapt_core.report.classes import class_section
from adapt_core.report.configuration import settings
from adapt_core.report.curves import charts_of
from adapt_core.report.decisions import decision_section
from adapt_core.report.evaluation_record import stored
from adapt_core.report.exports import COLUMNS as EXPORT_COLUMNS
from adapt_core.report.exports import export_rows
from adapt_core.report.further import further_section
from adapt_core.report.headline import headline
from adapt_core.report.html import render
from adapt_core.report.samples import samples_section
from adapt_core.report.soup import soup_section
from adapt_core.report.verdict import verdict_section
from adapt_core.report.worst import worst_section
from adapt_core.result import RunResult
from adapt_core.run_folder.metric_lines import INTERVALS
from adapt_core.run_folder.paths import RunFolder
from adapt_core.runtime.format import figure, in_rows, score, setting, size, span, with_interval


def report_page(plan: Plan, registry: Registry, folder: RunFolder, result: RunResult) -> str:
    """Return the page, as HTML text that needs no other file.

    Args:
        plan: of the run.
        registry: for the task's defaults and the direction of its metrics.
        folder: whose `metrics.jsonl` and `evaluation.json` are read.
        result: what `result.json` will hold.
    """
    every = list(settings(plan, registry))
    evidence = stored(folder)
    directions = {"loss": "lower", **metrics_of(plan, registry)}
    lines = folder.metric_lines()
    return render(
        "report.html.j2",
        title=f"{plan.task.name} with {plan.method.name}",
        summary=f"{plan.model.local_model_path or plan.model.model_path}, adapted to {data_of(plan)}",
        warnings=result.warnings,
        headline=headline(result, directions, plan.training.metric_for_best),
        tiles=tiles(result),
        metrics=metrics_section(result, directions),
        charts=charts_of(lines, bounds_of(plan, registry)),
        spans=any(INTERVALS in line for line in lines),
        soup=soup_section(result.soup),
        samples=samples_section(evidence),
        classes=class_section(evidence),
        further=further_section(result, directions),
        worst=worst_section(evidence),
        decisions=decision_section(result.decisions),
        verdict=verdict_section(result.verdict),
        changed=[item for item in every if item.changed and item.key != "OUTPUT_DIR"],
        settings=every,
        facts=facts(result),
        export_columns=EXPORT_COLUMNS,
        exports=export_rows(result.exports),
        commands=commands(folder, result),
        versions=result.versions,
    )


def data_of(plan: Plan) -> str:
    """Return where a plan's data comes from."""
    return str(path_of_data(plan.data) or plan.data.dataset or plan.data.train_dir)


def tiles(result: RunResult) -> list[tuple[str, str]]:
    """Return the figures at the top: labels and values."""
    share = 100 * result.trainable_parameters / result.total_parameters if result.total_parameters else 0.0
    return [
        ("trained parameters", f"{result.trainable_parameters:,}"),
        (f"of {result.total_parameters:,} in all", f"{share:.3g} %"),
        ("steps", f"{result.steps:,}"),
        ("training, evaluations included", span(result.train_seconds)),
        ("samples a second", figure(round(result.samples_per_second, 2))),
        ("peak memory", size(result.peak_memory_bytes)),
    ]


@attrs.frozen
class MetricRow:
    """A metric: its cells by column, how it changed, and whether that is "better", "worse" or neither ("")."""

    name: str
    cells: list[str]
    change: str
    verdict: str


@attrs.frozen
class MetricTable:
    """The table of before and after.

    Attributes:
        columns: the moments.
        rows: a metric each.
        changes: whether there are two moments to compare.
        intervals: whether metrics have intervals.
    """

    columns: list[str]
    rows: list[MetricRow]
    changes: bool
    intervals: bool = False


def metrics_section(result: RunResult, directions: Mapping[str, str]) -> MetricTable:
    """Return the table of what was measured, with intervals. Nothing is coloured as better where there are warnings.

    Args:
        result: the run's.
        directions: metric -> "higher" or "lower".
    """
    metrics: Mapping[str, Any] = result.metrics
    columns = [name for name in ("before", "after", "test") if metrics.get(name)]
    names = dict.fromkeys(name for column in columns for name in metrics[column])
    both = "before" in columns and "after" in columns
    rows = []
    for name in names:
        values = [metrics[column].get(name) for column in columns]
        before, after = (metrics[moment].get(name) if both else None for moment in ("before", "after"))
        change = None if before is None or after is None else after - before
        direction = direction_of(name, directions)
        better = (change or 0) > 0 if direction == "higher" else (change or 0) < 0
        verdict = "" if not change or direction is None else "better" if better else "worse"
        verdict = "" if result.warnings and better else verdict
        held = [result.intervals.get(column, {}).get(name) for column in columns]
        cells = [with_interval(*pair) for pair in zip(values, held, strict=True)]
        rows.append(MetricRow(name, cells, "" if change is None else score(change, "+"), verdict))
    return MetricTable(columns, rows, both, intervals=bool(result.intervals))


def facts(result: RunResult) -> list[tuple[str, str]]:
    """Return further facts: the data, the training check, the merge, the files."""
    rows = [(name, setting(value)) for name, value in in_rows(result.data)]
    check = result.training_check
    if check.get("moved_tensors") is not None:
        moved = f"{check['moved_tensors']} of {check['trained_tensors']} trained tensors moved"
        still = f"{check['frozen_tensors']} frozen ones are unchanged, bit for bit"
        rows.append(("training check", f"{check['verdict']}: {moved}; {still}"))
    if result.merge:
        rows += [(f"merge: {name.replace('_', ' ')}", figure(value)) for name, value in result.merge.items()]
    for name, path in result.artifacts.items():
        count = result.artifact_bytes.get(name)
        rows.append((name, f"{path} ({size(count)})" if count else path))
    return [*rows, ("seed", str(result.seed)), ("config SHA-256", result.config_sha256)]


def commands(folder: RunFolder, result: RunResult) -> list[tuple[str, str]]:
    """Return the commands that repeat this run, each with an explanation."""
    packages = [f"{name}=={number}" for name, number in result.versions.items() if name != "python"]
    config = shlex.quote(str(folder.config))
    again = shlex.quote(f"OUTPUT_DIR={folder.path}-again")
    return [
        ("From the folder that this run was started in:", f"adapt run {config} --set {again}"),
        ("With the same versions:", f"pip install {' '.join(packages)}"),
    ]
