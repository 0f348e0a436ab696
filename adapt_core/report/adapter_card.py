"""`README.md` of an adapter's folder: what it is, the lines that load it, and how it is served."""

from __future__ import annotations

from pathlib import Path

from adapt_core.config.plan import Plan
from adapt_core.report import markdown
from adapt_core.report.model_card import is_on_hub
from adapt_core.report.serving import adapter_config, serving

GENERATES = "text_generation"


def adapter_card(plan: Plan, folder: Path, lines: str) -> str:
    """Return the card of an adapter, as Markdown with the metadata that the hub reads.

    Args:
        plan: of the run.
        folder: of the adapter, with its `adapter_config.json`.
        lines: Python that loads it in the folder that has it as `adapter`.
    """
    base = str(plan.model.local_model_path or plan.model.model_path)
    metadata = ["library_name: peft", *([f"base_model: {base.partition('@')[0]}"] if is_on_hub(base) else [])]
    title = markdown.text(f"{plan.task.name} with {plan.method.name}")
    here = lines.rstrip().replace('"adapter"', '"."').replace('"adapter/', '"').replace("in adapter/ ", "here ")
    parts = [
        "\n".join(["---", *metadata, f"tags: [adapt, {plan.task.name}]", "---"]),
        f"# {title}",
        f"An adapter of {markdown.code(base)}, with its tokenizer or image settings, and the labels in `config.json`.",
        f"In this folder, without adapt:\n\n```python\n{here}\n```",
    ]
    config = adapter_config(folder)
    if config is not None and plan.task.name == GENERATES:
        parts += [
            "## Serve it",
            serving(config, str(config.get("base_model_name_or_path") or base), ".", "..").rstrip(),
        ]
    return "\n\n".join([*parts, ""])
