"""Stop a run of several processes at random moments, resume it, and compare the end with a run that was not stopped.

    python -m stress.stop_together --config CONFIG --stops 30
    python -m stress.stop_together --config CONFIG --stops 30 --set FSDP=true --set DDP=false

CONFIG runs under DDP or FSDP. The first run is left alone, and its time is what later stops are drawn from: start,
evaluation, training, saving and merging are among the moments. SIGINT, SIGTERM and SIGUSR1 go to the command and to its
ranks in turn. After each stop: the command ended by itself, with 130, or with 0 where it had finished, or with 1 where
a rank was signalled before it could listen; no process is left, and every checkpoint but one that was being written is
whole. `--resume` goes on; a run that has ended begins anew. The weights of each finished run equal the first one's, bit
for bit. Prints one JSON object; exits with 1 where anything was not so.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from adapt_core.run_folder.checkpoints import fault, newest_complete, step_of
from stress.kill_ranks import SECONDS_TO_END, Run, marked

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
SECONDS_TO_STOP = 2 * SECONDS_TO_END


def digest(folder: Path) -> str:
    """Return a digest of the files of `model/`."""
    digests = hashlib.sha256()
    for path in sorted((folder / "model").rglob("*.safetensors")):
        digests.update(path.read_bytes())
    return digests.hexdigest()


def ended(run: Run) -> list[str]:
    """Wait for the end of a run that was signalled; return what is wrong with it."""
    try:
        run.process.wait(SECONDS_TO_STOP)
    except subprocess.TimeoutExpired:
        return [f"hang: the command still ran {SECONDS_TO_STOP:g} s after the signal"]
    end = time.monotonic() + 10
    while (left := marked(run.mark)) and time.monotonic() < end:
        time.sleep(0.05)
    wrong = [f"process {pid} was left" for pid in left]
    said = run.errors.read_text(errors="replace")
    if run.process.returncode not in (0, 130) and "was killed by SIG" not in said:
        wrong.append(f"exit {run.process.returncode}: {said[-500:]}")
    checkpoints = sorted((run.folder / "checkpoints").glob("checkpoint-*"), key=step_of)
    newest = newest_complete(run.folder / "checkpoints") if checkpoints else None
    wrong += [
        f"{path.name}: {reason}"
        for path in checkpoints
        if (reason := fault(path)) and (newest is None or step_of(path) < step_of(newest))
    ]
    if "whose checkpoint is written" in said and newest is None:
        wrong.append("a checkpoint was promised, and none is there")
    return wrong


def stopped_and_resumed(given: argparse.Namespace, more: list[str], folder: Path) -> dict[str, Any]:
    """Stop and resume until the number of stops is reached, then let the last run end; return the outcome."""
    choose = random.Random(given.seed)
    began = time.monotonic()
    whole = Run(given.config, folder.parent / "whole", more, f"{os.getpid()}-whole")
    if code := whole.process.wait():
        return {"wrong": [f"exit {code}: {whole.errors.read_text(errors='replace')[-1000:]}"]}
    seconds, expected = time.monotonic() - began, digest(whole.folder)
    report: dict[str, Any] = {"seconds": round(seconds, 1), "stops": 0, "ends": Counter(), "finished": 0, "wrong": []}
    for number in range(10 * given.stops):
        last = report["stops"] >= given.stops
        run = Run(given.config, folder, more, f"{os.getpid()}-{number}")
        if not last:
            moment = choose.uniform(0, seconds)
            end = time.monotonic() + moment
            while time.monotonic() < end and run.process.poll() is None:
                time.sleep(0.02)
            place = choose.choice([None, *map(str, range(given.ranks))])
            target = [pid for pid, rank in marked(run.mark).items() if rank == place]
            if target and run.process.poll() is None:
                sent = SIGNALS[report["stops"] % len(SIGNALS)]
                os.kill(min(target), sent)
                report["stops"] += 1
                wrong = ended(run)
                said = run.errors.read_text(errors="replace").strip().splitlines()
                outcome = "finished" if run.process.returncode == 0 else (said[-1] if said else "")
                kind = "checkpoint" if "whose checkpoint is written" in outcome else f"exit {run.process.returncode}"
                report["ends"][kind] += 1
                report["wrong"] += wrong
                who = "the command" if place is None else f"rank {place}"
                print(f"{report['stops']}: {sent.name} to {who} after {moment:.1f} s: {wrong or kind}", file=sys.stderr)
                if run.process.poll() is None:
                    break
        code = run.process.wait()
        if code == 0:
            report["finished"] += 1
            if digest(folder) != expected:
                report["wrong"].append(f"run {number}: other weights than those of the run that was not stopped")
            shutil.rmtree(folder)
            if last:
                break
        elif last:
            report["wrong"].append(f"exit {code}: {run.errors.read_text(errors='replace')[-1000:]}")
            break
    return report


def main() -> None:
    """Parse the command line and print the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--stops", type=int, default=30)
    parser.add_argument("--ranks", type=int, default=2, help="processes of the run")
    parser.add_argument("--seed", type=int, default=0)
    given, more = parser.parse_known_args()
    # A job in the background of a script hands down that Ctrl-C is ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with tempfile.TemporaryDirectory() as temporary:
        report = stopped_and_resumed(given, more, Path(temporary) / "run")
    print(json.dumps(report, indent=2))
    if report["wrong"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
