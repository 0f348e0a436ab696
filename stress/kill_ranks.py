"""Kill a process of a run of several processes again and again, and resume each time until the run ends.

    python -m stress.kill_ranks --kills 30
    python -m stress.kill_ranks --kills 30 --launcher fsdp --whom launcher --page docs/faults.md
    python -m stress.kill_ranks --kills 30 --whom machines
    python -m stress.kill_ranks --kills 30 --launcher ray
    python -m stress.kill_ranks --config CONFIG --kills 20 --set LR=1e-3

A small job (or CONFIG) runs in two processes and saves checkpoints in the background. It runs once alone. Then each
kill hits a rank, each in turn; the `adapt` command (--whom launcher); or, where the run is on two machines, which are
network namespaces of their own, the command of machine 0, of machine 1 and of both in turn (--whom machines, as root).
Two kills in three come at a step chosen at random among those that the run still has before it, the third at a random
moment: start, evaluation, saving. After each kill: every command that was not killed ended by itself and with 1, and
told of a killed rank once; no process is left; every checkpoint is whole that is neither being written nor being
deleted; `--resume` goes on. Where the run ends before all kills are made, another begins; each that ends has the
weights of the first, bit for bit. After --minutes no more kills are made, and the last run ends. Prints one JSON
object, and writes a row into a page's table of kills (--page); exits with 1 where anything was not so.

Processes are forked with their imports done (`stress.preloaded`), but for those of Ray.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import attrs

from adapt_core.run_folder.checkpoints import newest_complete, step_of
from stress.preloaded import preload
from stress.runs import SECONDS_TO_END, Run, digest, small_job, take, two_networks, write_row

TABLE = "| launcher | killed | kills | as required | runs finished, with the weights of one left alone |"
SWITCHES: dict[str, dict[str, Any]] = {"ddp": {"DDP": True}, "fsdp": {"FSDP": True}, "ray": {"launcher": "ray"}}
MACHINES = ((0,), (1,), (0, 1))


@attrs.frozen
class Victim:
    """What a kill hits.

    Attributes:
        name: for the report.
        rank: the rank, if it is one.
        commands: the numbers of the commands, if it is commands.
    """

    name: str
    rank: int | None = None
    commands: tuple[int, ...] = ()

    @classmethod
    def of(cls, whom: str, count: int, ranks: int) -> Victim:
        """Return the victim of a kill, by its number."""
        if whom == "rank":
            return cls(f"rank {count % ranks}", rank=count % ranks)
        hit = (0,) if whom == "launcher" else MACHINES[count % len(MACHINES)]
        return cls(f"command {' and '.join(map(str, hit))}", commands=hit)

    def kill(self, run: Run) -> int | None:
        """Kill it, and return a process id; None where it had ended."""
        if self.rank is not None:
            return run.kill(self.rank)
        return run.commands[self.commands[0]].pid if run.kill_commands(*self.commands) else None

    def judge(self, run: Run, pid: int) -> list[str]:
        """Return what is wrong after the kill."""
        if wrong := run.ended(SECONDS_TO_END):
            return wrong
        for number, command in enumerate(run.commands):
            code, said = command.returncode, run.said(number)
            killed = number in self.commands
            if code != (-signal.SIGKILL if killed else 1):
                wrong.append(f"the exit code of command {number} was {code}: {said[-300:]}")
            if not killed and (said.count("error: ") != 1 or "Traceback" in said):
                wrong.append(f"command {number} did not tell one cause: {said[-600:]}")
            told = said.count("was killed by SIGKILL") + said.count(" died: Ray says ")
            if self.rank is not None and (told != 1 or f"rank {self.rank} (process {pid})" not in said):
                wrong.append(f"the cause was not told once with its rank: {said[-300:]}")
        return wrong


def killed_and_resumed(config: Path, more: list[str], given: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Kill and resume until the number of kills is reached, then let the last run end; return the outcome."""
    choose = random.Random(given.seed)
    report: dict[str, Any] = {"kills": [], "resumed": 0, "finished": 0, "wrong": []}
    end = time.monotonic() + 60 * given.minutes
    with two_networks() if given.whom == "machines" else nullcontext([]) as networks:

        def begun(place: Path, name: str) -> Run:
            return Run(config, place, more, name, networks, preloaded=given.launcher != "ray")

        alone = begun(folder.parent / "whole", "whole")
        if code := alone.wait():
            return {**report, "wrong": [f"exit {code}: {alone.said()[-1000:]}"]}
        seconds, expected = time.time() - alone.began, digest(alone.folder)
        for number in range(10 * given.kills):
            whole = newest_complete(folder / "checkpoints") if folder.exists() else None
            run = begun(folder, f"run-{number}")
            count = len(report["kills"])
            victim = Victim.of(given.whom, count, given.ranks)
            last = count >= given.kills or time.monotonic() > end
            at_a_step = count % 3 < 2 or given.launcher == "ray"
            report["resumed"] += whole is not None
            try:
                if last:
                    came = run.wait_for(sys.maxsize)
                elif at_a_step:
                    came = run.wait_for((step_of(whole) if whole else 0) + choose.randint(1, given.within))
                else:
                    came = run.wait_until(choose.uniform(0, seconds))
            except TimeoutError as error:
                report["wrong"].append(f"hang: {error}")
                run.end()
                break
            pid = victim.kill(run) if came else None
            if pid is not None:
                step = max(run.step(), 0)
                wrong = victim.judge(run, pid)
                if run.commands[0].returncode == 0:  # its work was done when it was killed
                    wrong = []
                else:
                    report["kills"].append({"whom": victim.name, "step": step, "wrong": wrong})
                    report["wrong"] += wrong
                    told = "; ".join(wrong) or "as it must be"
                    print(f"kill {count + 1}: {victim.name} at step {step}: {told}", file=sys.stderr)
                    if run.running():
                        run.end()
                        break
                    continue
            if code := run.wait():
                report["wrong"].append(f"exit {code}: {run.said()[-1000:]}")
                break
            report["finished"] += 1
            report["wrong"] += [f"run {number}: {what}" for what in take(run, expected)]
            if last:
                break
    return report


def main() -> None:
    """Parse the command line and print the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, help="a config of your own, of several processes")
    parser.add_argument("--launcher", choices=tuple(SWITCHES), default="ddp", help="of the small job, and of the row")
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--ranks", type=int, default=2, help="processes of the run")
    parser.add_argument("--within", type=int, default=10, help="a kill comes at most this many steps after the last")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="kills are made for so long at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--whom", choices=("rank", "launcher", "machines"), default="rank", help="what is killed")
    parser.add_argument("--page", type=Path, help="docs/faults.md, for a row of its table")
    parser.add_argument("--more", action="store_true", help="add to the row that the page has")
    given, more = parser.parse_known_args()
    if given.launcher != "ray":
        preload()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        config = given.config or small_job(folder, **SWITCHES[given.launcher])
        report = killed_and_resumed(config, more, given, folder / "run")
    if given.page is not None:
        right = sum(not kill["wrong"] for kill in report["kills"])
        whom = {"rank": "rank", "launcher": "launcher", "machines": "launchers of two machines"}[given.whom]
        row = (given.launcher, whom, len(report["kills"]), right, report["finished"])
        write_row(given.page, TABLE, row, keys=2, more=given.more)
    print(json.dumps(report, indent=2))
    if report["wrong"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
