"""Run jobs with very much of something, and hold what they use against what a user expects.

    python -m stress.scale                 all of them: hours
    python -m stress.scale steps rows      some
    python -m stress.scale --short --out FILE    a few hundred rows each: minutes
    python -m stress.scale --page          only the table of docs/scale.md, from stress/results/scale.json

Data and models are made. Each run is stopped (Ctrl-C) twice near its start and twice near its end (after 2 % and 50 %
of its steps in the short form, which would otherwise end before it heeds the last), resumed, and watched: memory must
stay flat (slope by least squares), the speed at the end be that at the start, checkpoints not pile up, the quicker
resume near the end take no longer than that near the start, and the report stay under 5 MiB. Seconds are the process's
own. Prints a JSON object for each run and exits with 1 where one is not so.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from stress.scale.figures import figures, findings
from stress.scale.jobs import JOBS, Scale
from stress.scale.page import RECORD, store, write_page
from stress.scale.watch import run

_STOPS = (0.02, 0.03, 0.94, 0.96)
_SHORT_STOPS = (0.02, 0.5)


def measure(job: Scale, work: Path, *, short: bool) -> dict[str, Any]:
    """Make a job's data and model, run it and return its record."""
    rows, steps = job.short if short else (job.rows, job.steps)
    begun = time.perf_counter()
    job.data(work / "data", rows)
    config = job.config(work / "data", job.model(work / "model"), work / "run", steps)
    found = figures(run(config, work, _SHORT_STOPS if short else _STOPS), work / "run")
    wall = round(time.perf_counter() - begun)
    return {"rows": rows, "wall_seconds": wall, "findings": findings(found), **found}


def main() -> None:
    """Measure the chosen jobs, and write record and page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("jobs", nargs="*", metavar="JOB", help=f"of {', '.join(job.name for job in JOBS)}")
    parser.add_argument("--short", action="store_true", help="a few hundred rows, to try the harness")
    parser.add_argument("--out", type=Path, default=RECORD, help="the record")
    parser.add_argument("--work", type=Path, help="the folder for temporary files")
    parser.add_argument("--page", action="store_true", help="write the table of docs/scale.md and run nothing")
    given = parser.parse_args()
    unknown = set(given.jobs) - {job.name for job in JOBS}
    if unknown:
        parser.error(f"no job {', '.join(sorted(unknown))}; there are: {', '.join(job.name for job in JOBS)}")
    if given.short and given.out == RECORD:
        parser.error("--short needs --out, so that it does not replace the record of whole runs")
    faults = False
    for job in JOBS if not given.page else []:
        if given.jobs and job.name not in given.jobs:
            continue
        with tempfile.TemporaryDirectory(dir=given.work) as temporary:
            record = measure(job, Path(temporary), short=given.short)
        print(json.dumps({"job": job.name, **record}), flush=True)
        faults = faults or bool(record["findings"])
        store(given.out, job.name, record)
    if given.out == RECORD:
        write_page()
    if faults:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
