"""Run the matrix and write matrix/matrix.json and docs/matrix.md.

python -m matrix --data ../shared/data                     what is not settled yet, all launchers
python -m matrix --data ../shared/data --job ner --launcher local
python -m matrix --data ../shared/data --again             everything anew
python -m matrix --page                                    only the page

A process trains all cells of a job, a fresh one loads and evaluates what it saved. Every settled cell is stored at
once: where the harness is stopped, the next call goes on.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs

from benchmarks.small_jobs import JOBS
from matrix.cells import LAUNCHERS, METHODS, Cell, Settled, all_cells, cells_of
from matrix.page import page

ROOT = Path(__file__).parent.parent
STORE = Path(__file__).parent / "matrix.json"
PAGE = ROOT / "docs" / "matrix.md"
# A last layer trained on an 8-bit base is saved on the base's weights in full precision, which no activation is rounded
# for: the loss moves in the third digit. Everything else must come back as it was.
_TOLERANCE = {True: 5e-2, False: 1e-3}


def stored(store: Path) -> dict[str, Settled]:
    """Return the record of earlier calls."""
    found = json.loads(store.read_text(encoding="utf-8")) if store.is_file() else {}
    return {name: Settled(**settled) for name, settled in found.items()}


def keep(store: Path, cell: Cell, settled: Settled) -> None:
    """Add one cell to the record, which is read again because other calls may have written to it."""
    known = {name: attrs.asdict(settled) for name, settled in stored(store).items()}
    everything = {**known, cell.name: attrs.asdict(settled)}
    store.write_text(json.dumps(everything, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    print(cell.name, settled.state, settled.text.splitlines()[0], f"{settled.seconds:.1f} s", flush=True)


def commit() -> str:
    """Return the repository's short commit."""
    return subprocess.check_output(["git", "rev-parse", "--short=10", "HEAD"], cwd=ROOT, text=True).strip()


def lines_of(module: str, arguments: list[str]) -> Iterator[dict[str, Any]]:
    """Yield the JSON lines that a module prints while it runs. Raises SystemExit if it fails."""
    command = [sys.executable, "-m", module, *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("{"):
                yield json.loads(line)
    if process.returncode:
        raise SystemExit(f"{module} ended with {process.returncode}")


def settle(cells: list[Cell], data: Path, work: Path, store: Path) -> None:
    """Train and reload cells of one job."""
    stamp, runs = commit(), {}
    for line in lines_of("matrix.train", [cells[0].job, str(data), str(work), *(c.name for c in cells)]):
        cell, seconds = Cell(**line["cell"]), line["seconds"]
        if "refused" in line:
            keep(store, cell, Settled(state="refused", text=line["refused"], commit=stamp, seconds=seconds))
        elif "covered" in line:
            keep(store, cell, Settled(state="covered", text=line["covered"], commit=stamp, seconds=seconds))
        elif "failed" in line:
            keep(store, cell, Settled(state="failed", text=line["failed"], commit=stamp, seconds=seconds))
        else:
            runs[str(work / "runs" / cell.name)] = cell, line
    if not runs:
        return
    for line in lines_of("matrix.reload", list(runs)):
        cell, trained = runs[line["run"]]
        state, text = judged(cell, trained, line)
        keep(store, cell, Settled(state=state, text=text, commit=stamp, seconds=trained["seconds"]))


def judged(cell: Cell, trained: dict[str, Any], reloaded: dict[str, Any]) -> tuple[Any, str]:
    """Return state and text of a cell that was trained and reloaded."""
    if "failed" in reloaded:
        return "failed", f"reload: {reloaded['failed']}"
    before, after = trained["losses"]
    measured, again = reloaded["losses"]
    difference = abs(again - measured) / max(abs(measured), 1e-9)
    told = f"loss {before:.4g} -> {after:.4g}; loaded again {difference:.1g}"
    loose = cell.base == "8 bit" and cell.method == "last_layer"
    if not math.isfinite(difference) or difference > _TOLERANCE[loose]:
        return "failed", f"loaded again, the loss is {again:.6g} instead of {measured:.6g}"
    if trained["learning"] != "learned":
        return "failed", f"{told}; nothing was learned: {trained['learning']}"
    return "ran", told


def run(given: argparse.Namespace, work: Path) -> None:
    """Run the chosen cells that have no outcome yet."""
    for launcher in given.launcher or LAUNCHERS:
        for job in JOBS:
            if given.job and job.name not in given.job:
                continue
            known = {} if given.again else stored(given.store)
            wanted = [cell for cell in cells_of(job, launcher) if not given.method or cell.method in given.method]
            open_cells = [cell for cell in wanted if cell.name not in known]
            if open_cells:
                settle(open_cells, given.data.resolve(), work, given.store)


def main() -> None:
    """Run the chosen cells and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="the folder of the data sets")
    parser.add_argument("--job", action="append", default=[], choices=[job.name for job in JOBS])
    parser.add_argument("--launcher", action="append", default=[], choices=list(LAUNCHERS))
    parser.add_argument("--method", action="append", default=[], choices=list(METHODS))
    parser.add_argument("--store", type=Path, default=STORE, help="the record, a JSON file")
    parser.add_argument("--page-file", type=Path, default=PAGE, help="the page; default: docs/matrix.md")
    parser.add_argument("--again", action="store_true", help="settle also what is settled")
    parser.add_argument("--page", action="store_true", help="write the page and run nothing")
    given = parser.parse_args()
    if not given.page:
        if given.data is None:
            parser.error("--data is needed")
        with tempfile.TemporaryDirectory() as work:
            run(given, Path(work))
    settled = stored(given.store)
    given.page_file.write_text(page(all_cells(), settled), encoding="utf-8")
    failed = [name for name, cell in settled.items() if cell.state == "failed"]
    if failed:
        raise SystemExit(f"failed: {'; '.join(failed)}")


if __name__ == "__main__":
    main()
