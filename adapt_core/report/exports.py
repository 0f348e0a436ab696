"""Exports of a run: how far each is from the trained model in its own runtime, its size and its latency."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from adapt_core.report import markdown
from adapt_core.result_records import ExportRecord, RuntimeOutcome
from adapt_core.runtime.format import figure, size

COLUMNS = ("export", "runtime", "largest difference", "allowed", "same choice", "size", "latency", "torch's")


def export_rows(exports: Mapping[str, ExportRecord]) -> list[list[str]]:
    """Return the table of exports, a row for each model that was asked; the cells are those of `COLUMNS`."""
    return [row for name, record in exports.items() for row in _rows(name, record)]


def _rows(name: str, record: ExportRecord) -> Iterator[list[str]]:
    if record["failed"]:
        yield [name, f"failed: {record['failed']}", "", "", "", "", "", ""]
        return
    if not record["checks"]:
        yield [name, "not asked", "", "", "", size(record["bytes"]), "", ""]
    for outcome in record["checks"]:
        yield [f"{name} {outcome['name']}".strip(), *_cells(outcome)]


def _cells(outcome: RuntimeOutcome) -> list[str]:
    allowed = "told only" if outcome["tolerance"] is None else figure(outcome["tolerance"])
    same = "" if outcome["same_argmax"] is None else f"{100 * outcome['same_argmax']:.4g} %"
    times = (outcome["latency_ms"], outcome["torch_latency_ms"])
    return [
        outcome["runtime"],
        f"{outcome['max_difference']:.2g}",
        allowed,
        same,
        size(outcome["bytes"]),
        *("" if time is None else f"{time:.3g} ms" for time in times),
    ]


def export_lines(record: ExportRecord) -> list[str]:
    """Return what was measured of an export, as lines of Markdown."""
    lines = [f"- {_sentence(outcome)}" for outcome in record["checks"]]
    return [*lines, ""] if lines else []


def _sentence(outcome: RuntimeOutcome) -> str:
    name, runtime = markdown.text(outcome["name"] or "the export"), markdown.text(outcome["runtime"])
    same = (
        "" if outcome["same_argmax"] is None else f", {100 * outcome['same_argmax']:.4g} % of the choices are the same"
    )
    time = "" if outcome["latency_ms"] is None else f", {outcome['latency_ms']:.3g} ms a row"
    difference = f"outputs differ from the trained model's by at most {outcome['max_difference']:.2g}"
    return f"{name} in {runtime}: {difference}{same} ({outcome['rows']} rows); {size(outcome['bytes'])}{time}"
