"""`README.md` of a run folder: what the model is, how well it does, and the lines that load it.

It begins with the metadata that the Hugging Face hub reads.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

from adapt_core.capabilities import SupportsPlainAdapter
from adapt_core.config.core_params.data import PACKAGED_BUILDERS
from adapt_core.config.data_places import path_of_data
from adapt_core.config.plan import Plan
from adapt_core.contracts import Task
from adapt_core.evaluation import OF_PLACE
from adapt_core.plugin.specs import TaskSpec
from adapt_core.report import markdown
from adapt_core.report.decisions import decision_lines
from adapt_core.report.exports import export_lines
from adapt_core.report.serving import adapter_config, serving
from adapt_core.result import RunResult
from adapt_core.runtime.format import figure, with_interval
from adapt_core.runtime.plain_text import in_one_line

_HUB_ID = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?")


def model_card(
    plan: Plan, spec: TaskSpec, task: Task, result: RunResult, exports: Mapping[str, str] | None = None
) -> str:
    """Return the model card as Markdown.

    Args:
        plan: the run's plan.
        spec: the spec of the plan's task, for the hub's names of task and library.
        task: the task, for the lines that load the model.
        result: the run's result.
        exports: exporter name -> Markdown of how its export is used.
    """
    base = plan.model.local_model_path or plan.model.model_path
    lines = [
        "---",
        *metadata(plan, spec, result).splitlines(),
        "---",
        "",
        f"# {markdown.text(f'{plan.task.name} with {plan.method.name}')}",
        "",
        f"{markdown.code(str(base))}, adapted to {markdown.code(str(_data(plan)))} "
        f"with the method {markdown.text(plan.method.name)} "
        f"by adapt {result.versions['adapt-core']}.",
        "",
        f"{result.trainable_parameters:,} of {result.total_parameters:,} parameters were trained, "
        f"in {result.steps} steps ({result.train_seconds:.0f} s), seed {result.seed}.",
        "",
        *_places(result),
        "## Results",
        "",
        *(line for warning in result.warnings for line in (f"**Warning: {markdown.text(warning)}**", "")),
        *_metrics_table(result),
        *_to_beat(result),
        *_decisions(result),
        "## Use it",
        "",
    ]
    if "model" in result.artifacts:
        lines += [
            "In this folder, without adapt:",
            "",
            "```python",
            task.loading_lines(plan.run.save_method).rstrip(),
            "```",
            "",
            "With adapt:",
            "",
        ]
    elif "adapter" in result.artifacts and isinstance(task, SupportsPlainAdapter):
        lines += [
            "In this folder, without adapt:",
            "",
            "```python",
            task.adapter_loading_lines(Path(result.output_dir) / result.artifacts["adapter"]).rstrip(),
            "```",
            "",
            "With adapt:",
            "",
        ]
    lines += ["```", "adapt predict . INPUT...", "```", ""]
    lines += _served(plan, result)
    for name, usage in (exports or {}).items():
        lines += [f"## {markdown.text(name)}", "", *export_lines(result.exports[name]), usage.strip(), ""]
    lines += ["## Versions", ""]
    lines += [f"- {markdown.text(f'{name} {number}')}" for name, number in result.versions.items()]
    lines += ["", "`config.yaml` has every parameter of the run; `adapt run config.yaml` repeats it.", ""]
    return "\n".join(lines)


def metadata(plan: Plan, spec: TaskSpec, result: RunResult) -> str:
    """Return the hub's metadata as YAML: library, task, base model, data set, tags, and the final metrics.

    A base model or data set is named only if it is on the hub; a local folder means nothing there.
    """
    pipeline = spec.pipeline_of(plan.task.params)
    base = plan.model.model_path if not plan.model.local_model_path else None
    library = spec.library_of(plan)
    # Only transformers has models without an organisation; elsewhere a bare name is an architecture.
    on_hub = base is not None and is_on_hub(base) and ("/" in base or library == "transformers")
    known: dict[str, Any] = {
        "library_name": "peft" if set(result.artifacts) & {"adapter", "model"} == {"adapter"} else library,
        "pipeline_tag": pipeline,
        "base_model": base.partition("@")[0] if base and on_hub else None,
        "datasets": [plan.data.dataset] if is_on_hub(plan.data.dataset) else None,
        "tags": ["adapt", plan.task.name, plan.method.name],
        "metrics": [name for name in result.metrics.get("after") or {} if name != "loss" and OF_PLACE not in name]
        or None,
        "model-index": _results(plan, result, pipeline),
    }
    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False
    text = StringIO()
    yaml.dump({key: _shown(value) for key, value in known.items() if value is not None}, text)
    return text.getvalue()


def _shown(value: Any) -> Any:
    """Return metadata whose texts hold nothing that a page of the hub or a terminal obeys; YAML quotes the rest."""
    if isinstance(value, str):
        return in_one_line(value)
    if isinstance(value, list):
        return [_shown(item) for item in value]
    return {key: _shown(item) for key, item in value.items()} if isinstance(value, dict) else value


def is_on_hub(name: str | None) -> bool:
    """Return whether a name is a hub id (ID or ID@REVISION), neither a local path nor the name of a builder."""
    plain = (name or "").partition("@")[0]
    return bool(_HUB_ID.fullmatch(plain)) and plain not in PACKAGED_BUILDERS and not Path(plain).expanduser().exists()


def _results(plan: Plan, result: RunResult, pipeline: str | None) -> list[dict[str, Any]] | None:
    split = "test" if result.metrics.get("test") else "validation"
    evaluated = result.metrics.get("test") or result.metrics.get("after") or {}
    measured = {name: value for name, value in evaluated.items() if math.isfinite(value) and OF_PLACE not in name}
    if not measured or pipeline is None:
        return None
    name = str(_data(plan)).rstrip("/").rpartition("/")[2]
    return [
        {
            "name": f"{plan.task.name} with {plan.method.name}",
            "results": [
                {
                    "task": {"type": pipeline},
                    "dataset": {"name": name, "type": plan.data.dataset or name, "split": split},
                    "metrics": [
                        {"type": metric, "name": metric, "value": round(value, 6)} for metric, value in measured.items()
                    ],
                }
            ],
        }
    ]


def _places(result: RunResult) -> list[str]:
    """Return the table of a run's several data sets; nothing where it has one."""
    places = result.data.get("places")
    if not isinstance(places, Mapping):
        return []
    figures = list(dict.fromkeys(name for place in places.values() if isinstance(place, Mapping) for name in place))
    titles = " | ".join(name.replace("_", " ") for name in figures)
    rows = [f"| data set | {titles} |", "|---|" + "---:|" * len(figures)]
    for name, place in places.items():
        cells = " | ".join(figure(place.get(one, "")) if isinstance(place, Mapping) else "" for one in figures)
        rows.append(f"| {markdown.text(name)} | {cells} |")
    return ["## Data", "", *rows, ""]


def _data(plan: Plan) -> str | None:
    return path_of_data(plan.data) or plan.data.dataset or plan.data.train_dir


def _metrics_table(result: RunResult) -> list[str]:
    columns = [name for name in ("before", "after", "test") if result.metrics.get(name)]
    if not columns:
        return ["Nothing was evaluated (DO_EVAL was off, or there was no validation data).", ""]
    names = list(dict.fromkeys(name for column in columns for name in result.metrics[column] or {}))
    rows = ["| metric | " + " | ".join(columns) + " |", "|---|" + "---:|" * len(columns)]
    for name in names:
        cells = [(result.metrics[column] or {}).get(name) for column in columns]
        held = [result.intervals.get(column, {}).get(name) for column in columns]
        figures = " | ".join(with_interval(*pair) for pair in zip(cells, held, strict=True))
        rows.append(f"| {markdown.text(name)} | {figures} |")
    note = ["In brackets: 95 % intervals, by resampling the evaluated rows.", ""] if result.intervals else []
    return [*rows, "", *note]


def _served(plan: Plan, result: RunResult) -> list[str]:
    """Return how servers take the adapter of a language model, or why they do not."""
    artifact = result.artifacts.get("adapter")
    config = None if artifact is None else adapter_config(Path(result.output_dir) / artifact)
    if config is None or plan.task.name != "text_generation":
        return []
    base = str(config.get("base_model_name_or_path") or plan.model.model_path)
    return ["## Serve the adapter", "", serving(config, base, str(artifact)).rstrip(), ""]


def _to_beat(result: RunResult) -> list[str]:
    """Return what plain baselines reach on the same validation split, a line each."""
    found = [one for check in result.verdict.get("checks", {}).values() for one in check["findings"] if one["to_beat"]]
    lines = [f"- {markdown.text(one['message'])}" for one in found]
    return ["Plain baselines on the validation split:", "", *lines, ""] if lines else []


def _decisions(result: RunResult) -> list[str]:
    """Return what predictions decide by, a line each."""
    lines = [f"- {markdown.text(line)}" for line in decision_lines(result.decisions)]
    return ["Decisions, tuned on the validation split:", "", *lines, ""] if lines else []
