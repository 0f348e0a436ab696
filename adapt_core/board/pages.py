"""An address -> a page of the board, or a JSON document."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

import attrs

from adapt_core.board.runs import FINISHED, TRAINING, Runs, ShownRun
from adapt_core.errors import AdaptError
from adapt_core.plugin.registry import Registry
from adapt_core.report import comparison
from adapt_core.report.charts import Chart
from adapt_core.report.curves import charts_of, overlaid
from adapt_core.report.html import render
from adapt_core.result import without_nan
from adapt_core.runtime.format import figure

HTML, JSON, SCRIPT = "text/html; charset=utf-8", "application/json", "text/javascript; charset=utf-8"

_CHOSEN = 12
"""Runs that are compared on one page at most."""


@attrs.frozen
class Page:
    """What is answered.

    Attributes:
        kind: the media type.
        body: the content.
        status: of HTTP.
        scripted: whether the page runs the board's script; what a run wrote does not.
    """

    kind: str
    body: bytes
    status: int = 200
    scripted: bool = True


class Board:
    """The pages over a folder of runs.

    Args:
        folder: of the runs.
        registry: for the directions and bounds of metrics.
    """

    def __init__(self, folder: Path, registry: Registry) -> None:
        self._runs = Runs(folder)
        self._registry = registry
        self._title = folder.name or str(folder)

    def answer(self, address: str) -> Page:
        """Return the page of a path with its query; one that says so where there is none."""
        parts = urlsplit(address)
        kind, _, name = unquote(parts.path, errors="surrogateescape").removeprefix("/").partition("/")
        query = parse_qs(parts.query)
        pages: Mapping[str, Callable[[], Page]] = {
            "": lambda: self._table(),
            "runs.json": lambda: self._table_data(),
            "run": lambda: self._run(name),
            "live.json": lambda: self._live(query.get("run", [""])[0]),
            "report": lambda: self._report(name),
            "compare": lambda: self._compare(query.get("run", [])[:_CHOSEN]),
            "board.js": lambda: Page(SCRIPT, (Path(__file__).with_name("board.js")).read_bytes()),
        }
        made = pages.get(kind)
        if made is None or (name and kind not in ("run", "report")):
            return _missing("There is no such page.")
        return made()

    def _table(self) -> Page:
        runs = self._runs.all()
        return _html(render("board.html.j2", title=self._title, runs=[_row(run) for run in runs]))

    def _table_data(self) -> Page:
        runs = self._runs.all()
        rows = render("board_rows.html.j2", runs=[_row(run) for run in runs])
        return _json({"runs": [run.to_data() for run in runs], "html": rows})

    def _run(self, name: str) -> Page:
        run = self._runs.find(name)
        if run is None:
            return _missing("There is no such run.")
        live = self._live_html(run)
        address = f"/report/{_quoted(name)}" if run.has_report else None
        return _html(render("board_run.html.j2", title=name, run=name, live=live, report=address))

    def _live(self, name: str) -> Page:
        run = self._runs.find(name)
        if run is None:
            return _missing("There is no such run.")
        return _json({**run.to_data(), "lines": len(self._runs.lines_of(run)), "html": self._live_html(run)})

    def _live_html(self, run: ShownRun) -> str:
        row = _row(run)
        tiles = [(label, row[label]) for label in ("state", "task", "method", "step", "metric", "last change")]
        return render("board_live.html.j2", tiles=tiles, charts=self._charts(run))

    def _charts(self, run: ShownRun) -> list[Chart]:
        task, lines = self._registry.tasks.spec_of(run.task), self._runs.lines_of(run)
        return charts_of(lines, task.bounds if task else {}) if lines else []

    def _report(self, name: str) -> Page:
        file = self._runs.report_of(name)
        if file is None:
            return _missing("This run has no report yet.")
        return Page(HTML, file.read_bytes(), scripted=False)

    def _compare(self, names: Sequence[str]) -> Page:
        found = [run for run in map(self._runs.find, dict.fromkeys(names)) if run is not None]
        if len(found) < 2:
            return _missing("Choose two runs or more on the board.")
        if all(run.state == FINISHED for run in found):
            try:
                folders = [self._runs.folder / run.name for run in found]
                return _html(
                    comparison.compare(folders, self._registry.tasks.spec_of, self._registry.metrics.spec_of).page(),
                    scripted=False,
                )
            except AdaptError as error:
                return _missing(str(error))
        charts = overlaid([(run.name, self._runs.lines_of(run)) for run in found], {})
        return _html(render("board_curves.html.j2", title=f"{len(found)} runs", charts=charts))


def _quoted(name: str) -> str:
    return quote(name, errors="surrogateescape")


def _row(run: ShownRun) -> dict[str, Any]:
    name, value = run.metric or ("", None)
    return {
        "name": run.name,
        "address": f"/run/{_quoted(run.name)}",
        "report": f"/report/{_quoted(run.name)}" if run.has_report else "",
        "state": run.state,
        "is_live": run.state == TRAINING,
        "task": run.task,
        "method": run.method,
        "step": str(run.step),
        "metric": f"{name} {figure(value)}" if value is not None else "",
        "value": "" if value is None else repr(value),
        "changed": repr(run.changed),
        "last change": _ago(time.time() - run.changed) if run.changed else "",
    }


def _ago(seconds: float) -> str:
    """Return how long ago something was, in words that stay for a while: what is live changes when figures do."""
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            count = int(seconds / length)
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "now"


def _html(text: str, *, scripted: bool = True) -> Page:
    return Page(HTML, text.encode("utf-8"), scripted=scripted)


def _json(data: Mapping[str, Any]) -> Page:
    return Page(JSON, json.dumps(without_nan(dict(data)), allow_nan=False).encode("utf-8"))


def _missing(message: str) -> Page:
    text = render("board_message.html.j2", title="Not here", message=message)
    return Page(HTML, text.encode("utf-8"), status=404)
