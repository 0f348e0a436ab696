"""Corrupt each job's data set in every way and compare adapt's reaction with what it guarantees.

    python -m stress.corrupt_data --data ../shared/data [--job ner] [--every 10] [--out counts.json]

A corrupted data set is refused as the user's (exit code 2) on one screen, with the place named and before a step is
trained; or it is trained on: a step, an evaluation and a saved model. Anything else is a finding, a traceback first of
all. One process tries all. Exits with 1 where there are findings.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.small_jobs import JOBS, SmallJob
from stress.corrupt_data.corruption import Corruption
from stress.corrupt_data.slices import cut_out

_PLACE = re.compile(
    r"\b(row|line|annotation|image|category|class|column|train|validation|val|split)s?\b|\.jsonl?\b|\.jpe?g\b|\.png\b"
)
_RUN: dict[str, Any] = {
    "MAX_STEPS": 1,
    "EPOCHS": 1,
    "INTERVAL": "no",
    "MAX_TRAIN_SAMPLES": None,
    "MAX_EVAL_SAMPLES": None,
    "OVERWRITE_OUTPUT_DIR": True,
}


def too_long(*_: Any) -> None:
    """End a run that hangs."""
    raise TimeoutError("no end in time")


def outcome(config: dict[str, Any]) -> tuple[str, str]:
    """Run a config and return ("refused", message), ("accepted", "") or ("finding", problem)."""
    import adapt_core
    from adapt_core.errors import InputError

    try:
        result = adapt_core.run(config)
    except InputError as error:
        message = str(error)
        if len(message.splitlines()) > 10:
            return "finding", f"more than ten lines: {message}"
        if not _PLACE.search(message):
            return "finding", f"no place is named: {message}"
        trained = Path(config["OUTPUT_DIR"]) / "metrics.jsonl"
        if trained.is_file() and '"train"' in trained.read_text(encoding="utf-8"):
            return "finding", f"refused after training: {message}"
        return "refused", message
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
        return "finding", f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    losses = [metrics["loss"] for metrics in result.metrics.values() if metrics and "loss" in metrics]
    if not all(map(math.isfinite, losses)):
        return "finding", f"accepted, and a loss is not finite: {losses}"
    return "accepted", ""


def judged(corruption: Corruption, config: dict[str, Any], seconds: int) -> dict[str, Any]:
    """Return the outcome of one corrupted data set, within so many seconds."""
    began = time.monotonic()
    signal.alarm(seconds)
    try:
        state, text = outcome(config)
    finally:
        signal.alarm(0)
    if state == "accepted" and corruption.accepted is False:
        state, text = "finding", "accepted, though it must be refused"
    if state == "refused" and corruption.accepted is True:
        state, text = "finding", f"refused, though nothing is wrong with it: {text}"
    return {"name": corruption.name, "state": state, "text": text, "seconds": round(time.monotonic() - began, 1)}


def corrupt_job(job: SmallJob, data_sets: Path, every: int, seconds: int) -> None:
    """Try each corruption of a job, or every n-th, in this process, and print a JSON line for each."""
    signal.signal(signal.SIGALRM, too_long)
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        more, corruptions = cut_out(job, data_sets / job.data, work / "whole")
        config = {**job.config(data_sets, work / "models"), **_RUN, **more, "OUTPUT_DIR": str(work / "run")}
        for number, corruption in enumerate([Corruption("nothing", lambda folder, dice: None, True), *corruptions]):
            if number % every:
                continue
            data = work / "data"
            for left in (data, work / "run"):
                shutil.rmtree(left, ignore_errors=True)
            shutil.copytree(work / "whole", data, symlinks=True)
            corruption.apply(data, Random(number))
            found = judged(corruption, {**config, "CUSTOM_DATASET_PATH": str(data)}, seconds)
            if number == 0:
                gc.freeze()  # Every training makes a collection, which would go through all that is imported by now.
            print(json.dumps({"job": job.name, **found}), flush=True)


def lines_of(jobs: list[SmallJob], data_sets: Path, every: int, seconds: int) -> Iterator[dict[str, Any]]:
    """Yield the lines that `corrupt_job` prints in one process for all these jobs, while it runs."""
    command = [sys.executable, "-m", "stress.corrupt_data", "--inside", f"--seconds={seconds}"]
    command += ["--data", str(data_sets), "--every", str(every), *(f"--job={job.name}" for job in jobs)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        yield from (json.loads(line) for line in process.stdout if line.startswith("{"))
    if process.returncode:
        yield {"job": jobs[-1].name, "name": "the process", "state": "finding", "text": f"exit {process.returncode}"}


def counted(known: dict[str, Any], line: dict[str, Any]) -> dict[str, Any]:
    """Return the counts of a job with one more data set."""
    known["tried"] = known.get("tried", 0) + 1
    known[line["state"]] = known.get(line["state"], 0) + 1
    known["slowest_seconds"] = max(known.get("slowest_seconds", 0.0), line.get("seconds", 0.0))
    if line["state"] == "finding":
        known.setdefault("findings", []).append({"name": line["name"], "text": line["text"]})
    return known


def main() -> None:
    """Try the chosen corruptions and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder of the data sets")
    parser.add_argument("--job", action="append", default=[], choices=[job.name for job in JOBS])
    parser.add_argument("--every", type=int, default=1, help="try every n-th corruption only")
    parser.add_argument("--seconds", type=int, default=60, help="a data set that takes longer is a finding")
    parser.add_argument("--out", type=Path, help="a JSON file that keeps the counts of each job")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    jobs = [job for job in JOBS if not given.job or job.name in given.job]
    if given.inside:
        for job in jobs:
            corrupt_job(job, given.data.resolve(), given.every, given.seconds)
        return
    found: dict[str, dict[str, Any]] = {}
    for line in lines_of(jobs, given.data.resolve(), given.every, given.seconds):
        found[line["job"]] = counted(found.get(line["job"], {}), line)
        if line["state"] == "finding":
            print(json.dumps(line), flush=True)
        if given.out:
            known = json.loads(given.out.read_text(encoding="utf-8")) if given.out.is_file() else {}
            given.out.write_text(json.dumps({**known, **found}, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))
    if any("finding" in counts for counts in found.values()):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
