"""Stop a run of several processes at random moments, resume it, and compare the end with a run that was not stopped.

    python -m stress.stop_together --stops 30
    python -m stress.stop_together --stops 30 --launcher fsdp --page docs/faults.md
    python -m stress.stop_together --config CONFIG --stops 30 --set LR=1e-3

A small job with LoRA, which is merged at the end (or CONFIG), runs in two processes with checkpoints in the
background. The first run is left alone, and its time is what later stops are drawn from: start, evaluation, training,
saving and merging are among the moments. SIGINT, SIGTERM and SIGUSR1 go to the command and to its ranks in turn. After
each stop: the command ended by itself, with 130, or with 0 where it had finished, or with 1 where a rank was signalled
before it could listen; no process is left, and every checkpoint before the newest complete one is whole. `--resume`
goes on; a run that has ended begins anew. The weights of each finished run equal the first one's, bit for bit. Prints
one JSON object, and writes a row into a page's table of stops (--page); exits with 1 where anything was not so.

Processes are forked with their imports done (`stress.preloaded`).
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

from adapt_core.run_folder.checkpoints import newest_complete, step_of
from stress.kill_ranks import SWITCHES
from stress.preloaded import preload
from stress.runs import SECONDS_TO_END, Run, digest, small_job, take, write_row

TABLE = (
    "| launcher | stops | with a checkpoint | at once, before or after training | had finished "
    "| a rank that did not listen yet | as required | runs finished, with the weights of one left alone |"
)
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
ENDS = ("checkpoint", "at once", "finished", "a rank that did not listen")


def end_of(run: Run) -> str:
    """Return how a stopped run ended, one of ENDS, or its exit code and last words."""
    code, said = run.commands[0].returncode, run.said()
    if code == 0:
        return "finished"
    if code == 130:
        return "checkpoint" if "whose checkpoint is written" in said else "at once"
    return "a rank that did not listen" if code == 1 and "was killed by SIG" in said else f"exit {code}: {said[-500:]}"


def judge(run: Run) -> tuple[str, list[str]]:
    """Wait for the end of a run that was signalled; return how it ended and what is wrong with it."""
    wrong = run.ended(2 * SECONDS_TO_END)
    if run.running():
        return "hang", wrong
    how = end_of(run)
    if how not in ENDS:
        wrong.append(how)
    if how == "checkpoint" and newest_complete(run.folder / "checkpoints") is None:
        wrong.append("a checkpoint was promised, and none is there")
    return how, wrong


def signalled(run: Run, place: str | None, sent: signal.Signals) -> bool:
    """Send a signal to the command (None) or to the worker of a rank, and return whether it was there."""
    pid = run.commands[0].pid if place is None else run.workers().get(int(place))
    if pid is None or not run.running():
        return False
    with suppress(ProcessLookupError):
        os.kill(pid, sent)
        return True
    return False


def stopped_and_resumed(given: argparse.Namespace, config: Path, more: list[str], folder: Path) -> dict[str, Any]:
    """Stop and resume until the number of stops is reached, then let the last run end; return the outcome."""
    choose = random.Random(given.seed)
    whole = Run(config, folder.parent / "whole", more, "whole")
    if code := whole.wait():
        return {"wrong": [f"exit {code}: {whole.said()[-1000:]}"]}
    seconds, steps, expected = time.time() - whole.began, whole.step(), digest(whole.folder)
    report: dict[str, Any] = {"seconds": round(seconds, 1), "stops": 0, "right": 0, "ends": Counter(), "finished": 0}
    report["wrong"] = []
    for number in range(10 * given.stops):
        last = report["stops"] >= given.stops
        done = newest_complete(folder / "checkpoints") if folder.exists() else None
        ahead = max(0.3, 1 - step_of(done) / steps) if done else 1.0  # of a run: what is left of it, and its beginning
        run = Run(config, folder, more, f"run-{number}")
        moment, place = choose.uniform(0, seconds * ahead), choose.choice([None, *map(str, range(given.ranks))])
        sent = SIGNALS[report["stops"] % len(SIGNALS)]
        if not last and run.wait_until(moment) and signalled(run, place, sent):
            report["stops"] += 1
            how, wrong = judge(run)
            report["ends"][how] += 1
            report["right"] += not wrong
            report["wrong"] += wrong
            who = "the command" if place is None else f"rank {place}"
            print(f"{report['stops']}: {sent.name} to {who} after {moment:.1f} s: {wrong or how}", file=sys.stderr)
            if run.running():
                run.end()
                break
        code = run.wait()
        if code == 0:
            report["finished"] += 1
            report["wrong"] += [f"run {number}: {what}" for what in take(run, expected)]
            if last:
                break
        elif last:
            report["wrong"].append(f"exit {code}: {run.said()[-1000:]}")
            break
    return report


def main() -> None:
    """Parse the command line and print the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, help="a config of your own, of several processes")
    parser.add_argument("--launcher", choices=("ddp", "fsdp"), default="ddp", help="of the small job, and of the row")
    parser.add_argument("--stops", type=int, default=30)
    parser.add_argument("--ranks", type=int, default=2, help="processes of the run")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--page", type=Path, help="docs/faults.md, for a row of its table")
    parser.add_argument("--more", action="store_true", help="add to the row that the page has")
    given, more = parser.parse_known_args()
    preload()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        keys = {**SWITCHES[given.launcher], "method": "LoRA", "MERGE_ADAPTER": True}
        config = given.config or small_job(folder, **keys)
        report = stopped_and_resumed(given, config, more, folder / "run")
    if given.page is not None:
        ends = [report["ends"][how] for how in ENDS]
        row = (given.launcher, report["stops"], *ends, report["right"], report["finished"])
        write_row(given.page, TABLE, row, keys=1, more=given.more)
    print(json.dumps(report, indent=2))
    if report["wrong"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
