"""Several finished runs side by side: their figures, what differs between their configs, and their curves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from adapt_core.config import metrics
from adapt_core.errors import InputError
from adapt_core.evaluation import direction_of, further_split
from adapt_core.plugin.metric_spec import MetricSpec
from adapt_core.plugin.specs import TaskSpec
from adapt_core.report.charts import Bounds
from adapt_core.report.curves import overlaid
from adapt_core.report.html import render
from adapt_core.report.paired import Pair, pairs
from adapt_core.result import RunResult
from adapt_core.run_folder.paths import RunFolder
from adapt_core.runtime.format import figure, setting, size, span, with_interval
from adapt_core.uncertainty.intervals import Interval
from adapt_core.uncertainty.kept_rows import KeptRows, read_rows

_PLACES = ("OUTPUT_DIR", "LOGGING_PATH", "OVERWRITE_OUTPUT_DIR")
"""Keys that say where results go, not what was done."""


@attrs.frozen
class ComparedRun:
    """One run of a comparison: its short name, its folder's files."""

    name: str
    result: RunResult
    keys: Mapping[str, Any]
    lines: Sequence[Mapping[str, Any]]
    rows: KeptRows | None = None


@attrs.frozen
class Row:
    """One figure of all runs: in words, as values (None where a run has none), and which of them are the best."""

    name: str
    cells: tuple[str, ...]
    values: tuple[Any, ...]
    best: tuple[bool, ...] = ()


@attrs.frozen
class Comparison:
    """Runs side by side.

    Attributes:
        runs: in the order given.
        figures: metrics after (and on the test split), speed, memory, sizes.
        settings: the config keys in which the runs differ.
        bounds: metric -> the values that it can have.
        pairs: each run but the first, tested against the first.
    """

    runs: tuple[ComparedRun, ...]
    figures: tuple[Row, ...]
    settings: tuple[Row, ...]
    bounds: Mapping[str, Bounds] = attrs.field(factory=dict)
    pairs: tuple[Pair, ...] = ()

    @property
    def tests(self) -> list[Row]:
        """Whether each run differs from the first one: a row for each metric."""
        names = dict.fromkeys(name for pair in self.pairs for name in pair.tests)
        found = [self._tested(name, [pair.told(name) for pair in self.pairs]) for name in names]
        if any(pair.why_not for pair in self.pairs):
            found.append(self._tested("rows", [pair.why_not for pair in self.pairs]))
        return found

    def _tested(self, name: str, cells: Sequence[str]) -> Row:
        return Row(f"validation {name}", ("", *cells), (None, *cells))

    def page(self) -> str:
        """Return the comparison as an HTML page that needs no other file."""
        return render(
            "compare.html.j2",
            title=f"{len(self.runs)} runs",
            runs=self.runs,
            figures=self.figures,
            settings=self.settings,
            tests=self.tests,
            charts=overlaid([(run.name, run.lines) for run in self.runs], self.bounds),
        )

    def to_data(self) -> dict[str, Any]:
        """Return the comparison as JSON-ready data: one entry a run."""
        return {
            "runs": [
                {
                    "name": run.name,
                    "folder": run.result.output_dir,
                    "figures": {row.name: row.values[number] for row in self.figures},
                    "settings": {row.name: row.values[number] for row in self.settings},
                    "against_first": self.pairs[number - 1].to_data() if number else {},
                    "not_tested": self.pairs[number - 1].why_not if number else "",
                }
                for number, run in enumerate(self.runs)
            ]
        }


def compare(
    folders: Sequence[Path],
    spec_of: Callable[[str], TaskSpec | None],
    metric_of: Callable[[str], MetricSpec | None] = lambda name: None,
) -> Comparison:
    """Read and compare finished runs.

    Args:
        folders: run folders.
        spec_of: a task's name -> its spec; None where its plugin is not there.
        metric_of: likewise of one of METRICS.

    Raises:
        InputError: a folder contains no finished run.
    """
    names = _short_names(folders)
    runs = tuple(_read(folder, name) for folder, name in zip(folders, names, strict=True))
    better = {"validation loss": "lower", "test loss": "lower"}
    bounds: dict[str, Bounds] = {}
    named = {str(name) for run in runs for name in run.keys.get("METRICS") or ()}
    chosen = [spec for spec in map(metric_of, sorted(named)) if spec is not None]
    for task in map(spec_of, {run.result.task for run in runs}):
        for name, direction in metrics.directions(task, chosen).items():
            better.update({f"validation {name}": direction, f"test {name}": direction})
        bounds.update(metrics.bounds(task, chosen))
    tested = tuple(pairs([run.rows for run in runs]))
    return Comparison(runs, tuple(_figures(runs, better)), tuple(_differing(runs)), bounds, tested)


def _read(folder: Path, name: str) -> ComparedRun:
    held = RunFolder(folder.expanduser().absolute())
    result = held.finished()
    if result is None:
        raise InputError(
            f"{folder} {'contains no finished run (no result.json)' if held.path.exists() else 'does not exist'}. "
            "Give run folders, the OUTPUT_DIR of `adapt run`."
        )
    return ComparedRun(name, result, held.stored_keys(), held.metric_lines(), read_rows(held))


def _short_names(folders: Sequence[Path]) -> list[str]:
    """Return the folders' own names, with as many parent folders as distinguish them."""
    parts = [folder.expanduser().absolute().parts for folder in folders]
    for depth in range(1, max(map(len, parts)) + 1):
        names = ["/".join(path[-depth:]) for path in parts]
        if len(set(names)) == len(names):
            return names
    raise InputError(f"{folders[0]}: each run folder must be given once, and one of these is given twice.")


def _figures(runs: Sequence[ComparedRun], better: Mapping[str, str]) -> list[Row]:
    rows = [
        Row("task", *_twice([run.result.task for run in runs])),
        Row("method", *_twice([run.result.method for run in runs])),
        Row("quantization", *_twice([run.result.quantization or "none" for run in runs])),
    ]
    for moment, label in (("after", "validation"), ("test", "test")):
        measured = [run.result.metrics.get(moment) or {} for run in runs]
        for name in dict.fromkeys(name for found in measured for name in found):
            values = tuple(found.get(name) for found in measured)
            held = [run.result.intervals.get(moment, {}).get(name) for run in runs]
            title = f"{label} {name}"
            rows.append(_metric_row(title, values, held, direction_of(title, better)))
    rows += _further(runs, better)
    measures: list[tuple[str, Callable[[RunResult], Any], Callable[[Any], str]]] = [
        ("trained parameters", lambda result: result.trainable_parameters, figure),
        ("steps", lambda result: result.steps, figure),
        ("training time", lambda result: result.train_seconds, span),
        ("samples a second", lambda result: result.samples_per_second, figure),
        ("peak memory", lambda result: result.peak_memory_bytes, size),
        ("size of the adapter", lambda result: result.artifact_bytes.get("adapter"), size),
        ("size of the model", lambda result: result.artifact_bytes.get("model"), size),
        ("seed", lambda result: result.seed, str),
    ]
    for title, read, word in measures:
        values = tuple(read(run.result) for run in runs)
        if any(value is not None for value in values):
            rows.append(Row(title, tuple("" if value is None else word(value) for value in values), values))
    return rows


def _further(runs: Sequence[ComparedRun], better: Mapping[str, str]) -> list[Row]:
    """Return the metrics of further data sets after training."""
    measured = [
        {(place, name): value for place, moments in run.result.also.items() for name, value in _last(moments).items()}
        for run in runs
    ]
    rows = []
    for place, name in dict.fromkeys(key for one in measured for key in one):
        values = tuple(one.get((place, name)) for one in measured)
        held = [run.result.intervals.get(further_split(place), {}).get(name) for run in runs]
        rows.append(_metric_row(f"also {place} {name}", values, held, direction_of(f"validation {name}", better)))
    return rows


def _metric_row(
    title: str, values: tuple[float | None, ...], held: Sequence[Interval | None], direction: str | None
) -> Row:
    """Return the row of a metric: the value of each run with its interval."""
    cells = tuple(with_interval(*pair) for pair in zip(values, held, strict=True))
    return Row(title, cells, values, _best(values, direction))


def _last(moments: Mapping[str, Any]) -> Mapping[str, float]:
    return moments.get("after") or moments.get("before") or {}


def _twice(values: list[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return tuple(values), tuple(values)


def _best(values: Sequence[float | None], direction: str | None) -> tuple[bool, ...]:
    """Return which values are the best; none where all are equal or no direction is known."""
    there = [value for value in values if value is not None]
    if direction is None or len(set(there)) < 2:
        return (False,) * len(values)
    best = max(there) if direction == "higher" else min(there)
    return tuple(value == best for value in values)


def _differing(runs: Sequence[ComparedRun]) -> list[Row]:
    keys = dict.fromkeys(key for run in runs for key in run.keys if key not in _PLACES)
    rows = []
    for key in keys:
        values = tuple(run.keys.get(key) for run in runs)
        cells = tuple(setting(run.keys[key]) if key in run.keys else "" for run in runs)
        if len(set(cells)) > 1:
            rows.append(Row(key, cells, values))
    return rows
