"""Train cells of one job in this process, one after another, and print a JSON line for each.

    python -m matrix.train JOB DATA WORK CELL...

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

from benchmarks.small_jobs import JOBS, SmallJob
from matrix.cells import Cell, cells_of


def refusal(config: dict[str, Any]) -> str | None:
    """Return the message of `adapt check` for an invalid config, or None."""
    from adapt_core import api
    from adapt_core.errors import InputError

    try:
        api.estimate(api.check(config))
    except InputError as error:
        return str(error)
    return None


def on_weights(job: SmallJob, data: Path, work: Path) -> dict[str, Any]:
    """Return a job's config with a MODEL_PATH that has weights.

    An OpenMMLab config has none, and what adapts weights is refused without: one step of a full run makes them.
    """
    import adapt_core

    config = job.config(data, work / "models")
    if Path(config["MODEL_PATH"]).is_dir():
        return config
    base = work / "models" / f"{job.name}, base"
    if not (base / "model").is_dir():
        first_step = {"MAX_STEPS": 1, "DO_EVAL": False, "INTERVAL": "no", "METRIC_FOR_BEST": None}
        adapt_core.run({**config, **first_step, "OUTPUT_DIR": str(base)})
    return {**config, "MODEL_PATH": str(base / "model"), "cfg_options": {}}


def settled(job: SmallJob, cell: Cell, data: Path, work: Path) -> dict[str, Any]:
    """Run one cell, or only check it if others cover it; return its refusal, error or figures."""
    config = {**on_weights(job, data, work), **cell.changes(), "OUTPUT_DIR": str(work / "runs" / cell.name)}
    if not cell.covered_by():
        return trained(config)
    refused = refusal(config)
    return {"refused": refused} if refused else {"covered": cell.covered_by()}


def trained(config: dict[str, Any]) -> dict[str, Any]:
    """Run a config and return the result's figures."""
    import adapt_core
    from adapt_core.errors import DataError, InputError

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
    losses = [(result.metrics[phase] or {})["loss"] for phase in ("before", "after")]
    return {"losses": losses, "learning": result.training_check["verdict"], "artifacts": sorted(result.artifacts)}


def main() -> None:
    """Train the named cells."""
    name, data, work, *wanted = sys.argv[1:]
    job = next(job for job in JOBS if job.name == name)
    cells = {cell.name: cell for launcher in ("local", "ddp", "fsdp") for cell in cells_of(job, launcher)}
    for cell in (cells[name] for name in wanted):
        began = time.monotonic()
        found = settled(job, cell, Path(data), Path(work))
        line = {"cell": attrs.asdict(cell), "seconds": round(time.monotonic() - began, 1), **found}
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
