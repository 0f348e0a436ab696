"""Count what the costly runs have allocated at each of their steps, each run in one process from its start to its end.

    python -m stress.scale.allocations             all of them: an hour
    python -m stress.scale.allocations images      some
    python -m stress.scale.allocations --short --out FILE

Adds to the record of `python -m stress.scale`: what is allocated, its slope, and the memory that the allocator keeps
beside it, at the start and the end. Exits with 1 where what is allocated grows: by more than three standard errors of
the slope, and by more than 0.05 % over the steps.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy

from stress.scale.counted_run import ENVIRONMENT
from stress.scale.figures import slope
from stress.scale.jobs import JOBS, Scale
from stress.scale.page import RECORD, store, write_page
from stress.scale.watch import Look

_GROWTH = 0.0005
_FLOORS = 50


def floors(looks: Sequence[Look]) -> list[Look]:
    """Return the look with the least memory of each fiftieth: between steps, when no activation is held."""
    found = []
    for part in numpy.array_split(numpy.arange(len(looks)), min(_FLOORS, len(looks))):
        found.append(min((looks[int(number)] for number in part), key=lambda look: look.own_mib))
    return found


def counted(job: Scale, work: Path, rows: int, steps: int) -> dict[str, Any]:
    """Run a job and return its figures."""
    job.data(work / "data", rows)
    config, looks = work / "config.json", work / "looks.jsonl"
    config.write_text(json.dumps(job.config(work / "data", job.model(work / "model"), work / "run", steps)))
    threads = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    env = {**os.environ, **threads, **ENVIRONMENT, "HF_DATASETS_CACHE": str(work / "cache")}
    command = [sys.executable, "-m", "stress.scale.counted_run", str(config), str(looks)]
    subprocess.run(command, env=env, check=True, stdout=subprocess.DEVNULL)
    return figures([json.loads(line) for line in looks.read_text(encoding="utf-8").splitlines()])


def figures(seen: Sequence[dict[str, float]]) -> dict[str, Any]:
    """Return what the looks of a run come to; the first quarter, in which caches fill, is left out.

    Args:
        seen: `step`, `allocated` and `own` of each look, in MiB.
    """
    steps = [look for look in seen if look["step"]]
    steps = steps[len(steps) // 4 :]
    held = [Look(step=int(look["step"]), seconds=0, own_mib=look["allocated"], disk_mib=0) for look in steps]
    allocated = floors(held)
    growth, error = slope(allocated)
    least = float(numpy.mean([look.own_mib for look in allocated]))
    grown = growth * (allocated[-1].step - allocated[0].step) / 1000
    fifth = max(len(steps) // 5, 1)
    kept = [float(numpy.mean([look["own"] for look in part])) for part in (steps[:fifth], steps[-fifth:])]
    return {
        "allocated_mib": round(least, 2),
        "allocated_growth_mib_per_1000_steps": round(growth, 4),
        "allocated_growth_error": round(error, 4),
        "allocated_grown_share": round(grown / least, 6),
        "counted_own_mib_at_start": round(kept[0], 2),
        "counted_own_mib_at_end": round(kept[1], 2),
    }


def grows(found: dict[str, Any]) -> bool:
    """Return whether what is allocated grows beyond its noise."""
    beyond = found["allocated_growth_mib_per_1000_steps"] > 3 * found["allocated_growth_error"]
    return bool(beyond and found["allocated_grown_share"] > _GROWTH)


def main() -> None:
    """Count the chosen jobs, and write record and page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("jobs", nargs="*", choices=[[], *(job.name for job in JOBS)], metavar="JOB")
    parser.add_argument("--short", action="store_true", help="a few hundred rows, to try the harness")
    parser.add_argument("--out", type=Path, default=RECORD, help="the record")
    parser.add_argument("--work", type=Path, help="the folder for temporary files")
    given = parser.parse_args()
    if given.short and given.out == RECORD:
        parser.error("--short needs --out, so that it does not replace the record of whole runs")
    faults = False
    for job in JOBS:
        if given.jobs and job.name not in given.jobs:
            continue
        rows, steps = job.short if given.short else (job.rows, job.steps)
        with tempfile.TemporaryDirectory(dir=given.work) as temporary:
            found = counted(job, Path(temporary), rows, steps)
        print(json.dumps({"job": job.name, **found}), flush=True)
        faults = faults or grows(found)
        store(given.out, job.name, found)
    if given.out == RECORD:
        write_page()
    if faults:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
