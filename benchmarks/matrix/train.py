"""Trains cells of one job in this process, one after another, and prints a JSON line for each.

    python -m benchmarks.matrix.train JOB DATA WORK CELL...

A cell is refused only where `adapt check` refuses it, and not for the data, which is the same in every cell; what check
lets through must train.
"""

from __future__ import annotations

import json
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import attrs

from benchmarks.matrix.cells import Cell, cells_of
from benchmarks.small_jobs import JOBS, SmallJob


def refusal(config: dict[str, Any]) -> str | None:
    """What `adapt check` says against a config, or None."""
    from adapt_core import running
    from adapt_core.errors import InputError

    try:
        running.foresee(running.check(config))
    except InputError as error:
        return str(error)
    return None


def trained(job: SmallJob, cell: Cell, data: Path, work: Path) -> dict[str, Any]:
    """Runs one cell: its refusal, its error, or its figures."""
    import adapt_core
    from adapt_core.errors import DataError, InputError

    config = {**job.config(data, work / "models"), **cell.changes(), "OUTPUT_DIR": str(work / "runs" / cell.name)}
    try:
        result = adapt_core.run({**config, "OVERWRITE_OUTPUT_DIR": True})
    except DataError as error:
        return {"failed": f"the job's data will not do: {error}"}
    except InputError as error:
        refused = refusal(config)
        return {"refused": refused} if refused else {"failed": f"check lets it through, and the run says: {error}"}
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
        traceback.print_exc()
        return {"failed": f"{type(error).__name__}: {error}"}
    losses = [result.metrics[phase]["loss"] for phase in ("before", "after")]
    return {"losses": losses, "learning": result.learning["verdict"], "artifacts": sorted(result.artifacts)}


def main() -> None:
    """Trains the named cells."""
    name, data, work, *wanted = sys.argv[1:]
    job = next(job for job in JOBS if job.name == name)
    cells = {cell.name: cell for launcher in ("local", "ddp", "fsdp") for cell in cells_of(job, launcher)}
    for cell in (cells[name] for name in wanted):
        began = time.monotonic()
        found = trained(job, cell, Path(data), Path(work))
        line = {"cell": attrs.asdict(cell), "seconds": round(time.monotonic() - began, 1), **found}
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
