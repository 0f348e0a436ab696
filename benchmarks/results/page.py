"""docs/results.md, made from the measured runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.results.cases import CASES, Case

HEAD = """# Results on real data

Results of `adapt run` on small real data sets, on two cores of an x86-64 CPU, with pretrained weights that Python
packages ship. They show that each task and method learns, not what a large model reaches: the data sets have a few
hundred rows. `python -m benchmarks.results --data ../shared/data` runs each line and writes this page; `--only NAME`
runs one. *Before* is the base model with its new head. Seconds per step are only roughly comparable: these runs shared
the machine with others.
"""

BASES = (
    "No package ships such a pretrained model. A full run of adapt trained a base on one data set, from a backbone",
    "with ImageNet weights (the row *base*), and each method adapts that base to another data set.",
    "",
)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _command(case: Case) -> str:
    keys = " ".join(f"{key}={value}" for key, value in case.keys.items())
    model = f", MODEL_PATH as `benchmarks.results.models.{case.build.__name__}` makes it" if case.build else ""
    return f"`{keys}`{model}"


def _line(case: Case, run: Mapping[str, Any]) -> str:
    share = 100 * run["trainable_parameters"] / run["total_parameters"]
    cells = [
        case.name,
        case.data,
        case.metric,
        _number(run["before"]),
        f"**{_number(run['after'])}**",
        f"{_number(run['baseline'][1])} ({run['baseline'][0]})" if run["baseline"] else "",
        f"{share:.2f} %",
        f"{run['seconds_per_step']:.2f}",
        f"{run['peak_memory_bytes'] / 2**20:.0f}",
    ]
    return f"| {' | '.join(cells)} |"


def _share(value: float) -> str:
    return "0" if value == 0 else f"{value:.0e}"


def _cell_line(cell: Mapping[str, Any]) -> str:
    named = [cell["model"], cell["base"], cell["method"]]
    if cell["refusal"]:
        return f"| {' | '.join(named)} | refused: {cell['refusal']} | | | | |"
    first, last = cell["losses"]
    figures = [
        f"{first:.3f} to {last:.3f}",
        "yes" if cell["only_intended"] else "**no**",
        _share(cell["reload"]),
        _share(cell["merge"]),
        "yes" if cell["same_argmax"] else "**no**",
    ]
    return f"| {' | '.join([*named, *figures])} |"


def _cells_section(cells: Mapping[str, Mapping[str, Any]]) -> list[str]:
    return [
        "## Adapters on every family of models",
        "",
        "Six steps on one batch. *Only intended*: only the declared parameters changed. *Reload* and *merge*: the",
        "greatest difference of any logit, relative to the largest one; a merge on a quantized base is compared with",
        "the adapter on the dequantized base. *Argmax*: the merged model makes the same predictions. The small models",
        "have random weights; MiniLM and SmolLM2 are pretrained. Made by `python -m benchmarks.results --cells`.",
        "",
        "| model | base | method | loss | only intended | reload | merge | argmax |",
        "|---|---|---|---|---|---:|---:|---|",
        *(_cell_line(cell) for cell in cells.values()),
        "",
    ]


def page(measured: Mapping[str, Mapping[str, Any]], cells: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the page.

    Args:
        measured: case name to what `results.__main__.measure` kept of its run.
        cells: what `results.__main__.measure_cells` kept.
    """
    lines = [HEAD]
    for section in dict.fromkeys(case.section for case in CASES):
        shown: Sequence[Case] = [case for case in CASES if case.section == section and case.name in measured]
        if not shown:
            continue
        lines += [
            f"## {section}",
            "",
            *(BASES if any(case.base for case in shown) else ()),
            "| run | data | metric | before | after | baseline | trainable | s/step | peak MiB |",
            "|---|---|---|---:|---:|---:|---:|---:|---:|",
            *(_line(case, measured[case.name]) for case in shown),
            "",
            "The configs:",
            "",
            *(f"- {case.name}: {_command(case)}" for case in shown),
            "",
        ]
    if cells:
        lines += _cells_section(cells)
    versions = next(iter(measured.values()))["versions"] if measured else {}
    named = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    return "\n".join([*lines, f"Versions: {named}.", ""])
