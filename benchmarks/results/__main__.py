"""Run the cases behind docs/results.md and write the page.

python -m benchmarks.results --data ../shared/data              every case (an hour or more on two cores)
python -m benchmarks.results --data ../shared/data --only ner   one; the others keep what was measured before
python -m benchmarks.results --data ... --only NAME --runs DIR  keeps the runs; a base that stands there serves again
python -m benchmarks.results --page                             only the page, from benchmarks/results/results.json
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import attrs

from benchmarks.results.cases import CASES, Case
from benchmarks.results.page import page

ROOT = Path(__file__).parent.parent.parent
MEASURED = Path(__file__).parent / "results.json"
CELLS = Path(__file__).parent / "cells.json"
PAGE = ROOT / "docs" / "results.md"


def measure(case: Case, data_sets: Path, runs: Path) -> dict[str, Any]:
    """Run a case as a user would and return what the page shows.

    Args:
        case: the case.
        data_sets: folder of the data sets.
        runs: where run folders go, by case name.
    """
    data = case.data_folder(data_sets)
    baseline = case.baseline(data) if case.baseline else None
    keys = {**case.keys, "CUSTOM_DATASET_PATH": str(data), "OUTPUT_DIR": str(runs / case.name)}
    if case.base is not None:
        keys["MODEL_PATH"] = str(runs / case.base / "model")
    if case.build is not None:
        keys["MODEL_PATH"] = str(runs / f"{case.name}-base")
        case.build(runs / f"{case.name}-base", data)
    config = runs / f"{case.name}.json"
    config.write_text(
        json.dumps({"INTERVAL": "no", "NUM_WORKERS": 0, "OVERWRITE_OUTPUT_DIR": True, **keys}), encoding="utf-8"
    )
    done = subprocess.run(
        [sys.executable, "-m", "adapt_core", "run", str(config)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{case.name}: {done.stderr[-4000:]}")
    result = json.loads((runs / case.name / "result.json").read_text(encoding="utf-8"))
    return {
        "before": result["metrics"]["before"][case.metric],
        "after": result["metrics"]["after"][case.metric],
        "baseline": baseline,
        "seconds_per_step": result["train_seconds"] / result["steps"],
        **{name: result[name] for name in ("total_parameters", "trainable_parameters", "peak_memory_bytes", "steps")},
        "versions": result["versions"],
    }


def stored(file: Path) -> dict[str, Any]:
    """Return the record of earlier calls."""
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return found


def store(file: Path, measured: dict[str, Any]) -> None:
    """Write the record."""
    file.write_text(json.dumps(measured, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def measure_cases(names: set[str], data: Path, runs: Path) -> None:
    """Run the named cases, or all, and their bases that `runs` does not contain."""
    bases = {case.base for case in CASES if case.name in names and case.base}
    names = names | {base for base in bases if not (runs / base / "model").is_dir()}
    for case in CASES:
        if names and case.name not in names:
            continue
        run = measure(case, data, runs)
        print(case.name, json.dumps({k: v for k, v in run.items() if k != "versions"}), flush=True)
        # Read anew: another call may have measured others meanwhile.
        store(MEASURED, {**stored(MEASURED), case.name: run})


def measure_cells(families: list[str]) -> None:
    """Measure the cells of the named families, or of all."""
    from benchmarks.results.cells import cells

    measured = stored(CELLS)
    for cell in cells(families):
        measured[f"{cell.model} | {cell.base} | {cell.method}"] = attrs.asdict(cell)
        print(json.dumps(attrs.asdict(cell)), flush=True)
        store(CELLS, measured)


def main() -> None:
    """Measure the chosen cases and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="the folder of the data sets")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="a case; may be repeated")
    parser.add_argument("--runs", type=Path, help="where run folders stay; without it they are deleted at the end")
    parser.add_argument("--cells", nargs="*", metavar="FAMILY", help="measure adapters on these families, or all")
    parser.add_argument("--page", action="store_true", help="write the page and run nothing")
    arguments = parser.parse_args()
    unknown = set(arguments.only) - {case.name for case in CASES}
    if unknown:
        parser.error(f"no case {', '.join(sorted(unknown))}; there are: {', '.join(case.name for case in CASES)}")
    if arguments.cells is not None:
        measure_cells(arguments.cells)
    elif not arguments.page:
        if arguments.data is None:
            parser.error("--data is needed")
        with tempfile.TemporaryDirectory() as passing:
            runs = (arguments.runs or Path(passing)).resolve()
            runs.mkdir(parents=True, exist_ok=True)
            measure_cases(set(arguments.only), arguments.data.resolve(), runs)
    PAGE.write_text(page(stored(MEASURED), stored(CELLS)), encoding="utf-8")


if __name__ == "__main__":
    main()
