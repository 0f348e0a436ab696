"""`README.md` of a run folder: what the model is, how well it does, and the lines that load it."""

from __future__ import annotations

from adapt_core.contracts import Task
from adapt_core.plan import Plan
from adapt_core.result import RunResult


def model_card(plan: Plan, task: Task, result: RunResult) -> str:
    """The model card as Markdown."""
    data = plan.data.custom_dataset_path or plan.data.dataset or plan.data.train_dir
    base = plan.model.local_model_path or plan.model.model_path
    lines = [
        f"# {plan.task.name} with {plan.method.name}",
        "",
        f"`{base}`, adapted to `{data}` with the method {plan.method.name} by adapt {result.versions['adapt-core']}.",
        "",
        f"{result.trainable_parameters:,} of {result.total_parameters:,} parameters were trained, "
        f"in {result.steps} steps ({result.train_seconds:.0f} s), seed {result.seed}.",
        "",
        "## Results",
        "",
        *_metrics_table(result),
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
    lines += ["```", "adapt predict . INPUT...", "```", "", "## Versions", ""]
    lines += [f"- {name} {number}" for name, number in result.versions.items()]
    lines += ["", "`config.yaml` holds every parameter of the run; `adapt run config.yaml` repeats it.", ""]
    return "\n".join(lines)


def _metrics_table(result: RunResult) -> list[str]:
    columns = [name for name in ("before", "after", "test") if result.metrics.get(name)]
    if not columns:
        return ["Nothing was evaluated (DO_EVAL was off, or there was no validation data).", ""]
    names = list(dict.fromkeys(name for column in columns for name in result.metrics[column] or {}))
    rows = ["| metric | " + " | ".join(columns) + " |", "|---|" + "---:|" * len(columns)]
    for name in names:
        cells = [(result.metrics[column] or {}).get(name) for column in columns]
        rows.append(f"| {name} | " + " | ".join("" if cell is None else f"{cell:.4f}" for cell in cells) + " |")
    return [*rows, ""]
