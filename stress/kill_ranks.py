"""Kill a process of a run of several processes again and again, and resume each time until the run ends.

    python -m stress.kill_ranks --config CONFIG --kills 20
    python -m stress.kill_ranks --config CONFIG --kills 20 --set FSDP=true --set DDP=false
    python -m stress.kill_ranks --config CONFIG --kills 20 --whom launcher --page docs/faults.md
    python -m stress.kill_ranks --config CONFIG --kills 20 --set launcher=ray --set DDP=false

CONFIG runs in several processes and saves checkpoints. It runs once alone. Then a rank is killed, each in turn, or the
`adapt` command (--whom launcher), at a step chosen at random among those that the run still has before it. After each
kill: the command ended by itself and with 1, and told of that rank once (where it was not killed itself); no process is
left; every checkpoint but the newest that was being written is whole; `--resume` goes on. Where CONFIG ends before all
kills are made, another run begins; each run that ends has the weights of the first, bit for bit. After --minutes no
more kills are made, and the last run ends. Prints one JSON object, and writes a row into a page's table of kills
(--page); exits with 1 where anything was not so.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from adapt_core.run_folder.checkpoints import fault, newest_complete, step_of

SECONDS_TO_END = 60.0
SECONDS_TO_LEAVE = 15.0
TABLE = "| launcher | killed | kills | as required | runs finished, with the weights of one left alone |"
SECONDS_WITHOUT_A_STEP = 240.0


def environment_of(pid: int) -> dict[str, str]:
    """Return the environment that a process was started with; empty if it has ended."""
    try:
        items = Path(f"/proc/{pid}/environ").read_text(errors="replace").split("\0")
    except OSError:
        return {}
    return dict(item.split("=", 1) for item in items if "=" in item)


def marked(mark: str) -> dict[int, str | None]:
    """Return the rank of every living process that inherited this run's mark; None for the command itself."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (environment := environment_of(int(entry.name))).get("KILL_RANKS") == mark:
            found[int(entry.name)] = environment.get("RANK")
    return found


class Run:
    """One `adapt run --resume` on CONFIG."""

    def __init__(self, config: Path, folder: Path, arguments: list[str], mark: str) -> None:
        self.folder, self.mark, self.began = folder, mark, time.time()
        self.processes: list[psutil.Process] = []
        self.errors = folder.parent / f"{mark}.err"
        command = [sys.executable, "-m", "adapt_core", "run", str(config), "--resume", "--set", f"OUTPUT_DIR={folder}"]
        self.process = subprocess.Popen(
            [*command, *arguments],
            stdout=subprocess.DEVNULL,
            stderr=self.errors.open("wb"),
            env={**os.environ, "KILL_RANKS": mark},
        )

    def steps(self) -> list[int]:
        """Return the step of each logged training metric; a resumed run removes later ones only when it trains."""
        figures = self.folder / "metrics.jsonl"
        try:
            if figures.stat().st_mtime < self.began:
                return []
            lines = [json.loads(line) for line in figures.read_text().splitlines()]
        except (FileNotFoundError, json.JSONDecodeError):  # A line that is being written.
            return []
        return [line["step"] for line in lines if line["phase"] == "train"]

    def wait_for(self, step: int) -> bool:
        """Return whether training reached a step before the run ended.

        Raises:
            TimeoutError: nothing happened for minutes.
        """
        seen, since = -1, time.monotonic()
        while self.process.poll() is None:
            reached = max(self.steps(), default=-1)
            if reached >= step:
                return True
            if reached != seen:
                seen, since = reached, time.monotonic()
            if time.monotonic() - since > SECONDS_WITHOUT_A_STEP:
                raise TimeoutError(f"no step after {seen}")
            time.sleep(0.02)
        return False

    def kill(self, rank: int) -> int | None:
        """Kill a rank's process and return its id, or None if it had already ended."""
        self.processes = psutil.Process(self.process.pid).children(recursive=True)
        workers = self.of_ray(rank) or [
            pid for pid, place in marked(self.mark).items() if place == str(rank) and _leads_its_group(pid)
        ]
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
        return workers[0] if workers else None

    def of_ray(self, rank: int) -> list[int]:
        """Return the process that the command's own lines give a rank on Ray."""
        said = self.errors.read_text(errors="replace")
        return [int(pid) for pid in re.findall(rf"rank {rank} is process (\d+) of ", said)[-1:]]

    def kill_command(self) -> int | None:
        """Kill the `adapt` command and return its process id, or None if it had already ended."""
        if self.process.poll() is not None:
            return None
        self.processes = psutil.Process(self.process.pid).children(recursive=True)
        self.process.kill()
        self.process.wait()
        return self.process.pid

    def left(self) -> list[int]:
        """Return processes of the run that are still there after some seconds."""
        psutil.wait_procs(self.processes, timeout=SECONDS_TO_LEAVE)
        end = time.monotonic() + SECONDS_TO_LEAVE
        while (left := marked(self.mark)) and time.monotonic() < end:
            time.sleep(0.05)
        alive = {one.pid for one in self.processes if one.is_running() and one.status() != psutil.STATUS_ZOMBIE}
        return sorted({*left, *alive})

    def after_kill(self, rank: int | None, pid: int) -> list[str]:
        """Return the problems after a kill, empty if there are none; the command's own where `rank` is None."""
        try:
            code = self.process.wait(SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            return [f"hang: the command still ran {SECONDS_TO_END:g} s after the kill of rank {rank}"]
        said = self.errors.read_text(errors="replace")
        wrong = [f"process {one} was left" for one in self.left()]
        if code != (1 if rank is not None else -signal.SIGKILL):
            wrong.append(f"the exit code was {code}")
        told = said.count("was killed by SIGKILL") + said.count(" died: Ray says ")
        if rank is not None and (told != 1 or f"rank {rank} (process {pid})" not in said):
            wrong.append(f"the cause was not told once with its rank: {said[-300:]}")
        checkpoints = sorted((self.folder / "checkpoints").glob("checkpoint-*"), key=step_of)
        wrong += [f"{path.name}: {reason}" for path in checkpoints[:-1] if (reason := fault(path))]
        return wrong


def _leads_its_group(pid: int) -> bool:
    """Return whether a process leads its group: workers do, their helpers (data loaders) do not."""
    try:
        return os.getpgid(pid) == pid
    except ProcessLookupError:
        return False


def killed_and_resumed(config: Path, more: list[str], given: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Kill and resume until the number of kills is reached, then let the last run end; return the outcome."""
    choose = random.Random(given.seed)
    report: dict[str, Any] = {"kills": [], "resumed": 0, "finished": 0, "wrong": []}
    mark = f"{os.getpid()}-whole"
    alone = Run(config, folder.parent / "whole", more, mark)
    if code := alone.process.wait():
        report["wrong"].append(f"exit {code}: {alone.errors.read_text(errors='replace')[-1000:]}")
        return report
    expected = digest(alone.folder)
    end = time.monotonic() + 60 * given.minutes
    for number in range(10 * given.kills):
        whole = newest_complete(folder / "checkpoints") if folder.exists() else None
        mark = f"{os.getpid()}-{number}"
        run = Run(config, folder, more, mark)
        count = len(report["kills"])
        rank = None if given.whom == "launcher" else count % given.ranks
        last = count >= given.kills or time.monotonic() > end
        ahead = sys.maxsize if last else choose.randint(1, given.within)
        try:
            came = run.wait_for((step_of(whole) if whole else 0) + ahead)
        except TimeoutError as error:
            report["wrong"].append(f"hang: {error}")
            break
        report["resumed"] += whole is not None
        pid = (run.kill_command() if rank is None else run.kill(rank)) if came else None
        if pid is not None:
            step = max(run.steps(), default=0)
            wrong = run.after_kill(rank, pid)
            report["kills"].append({"rank": rank, "step": step})
            report["wrong"] += wrong
            print(
                f"kill {count + 1}: {given.whom} {rank} at step {step}: {'; '.join(wrong) or 'as it must be'}",
                file=sys.stderr,
            )
            if run.process.poll() is None:
                break
            continue
        if code := run.process.wait():
            report["wrong"].append(f"exit {code}: {run.errors.read_text(errors='replace')[-1000:]}")
            break
        report["finished"] += 1
        if digest(folder) != expected:
            report["wrong"].append(f"run {number}: other weights than those of the run that was left alone")
        if last:
            break
        shutil.rmtree(folder)
    for pid in marked(mark):
        os.kill(pid, signal.SIGKILL)
    return report


def digest(folder: Path) -> str:
    """Return a digest of the files of weights in `model/`."""
    digests = hashlib.sha256()
    for path in sorted((folder / "model").rglob("*")):
        if path.suffix in (".safetensors", ".pt", ".bin"):
            digests.update(path.read_bytes())
    return digests.hexdigest()


def write_row(page: Path, launcher: str, whom: str, report: dict[str, Any]) -> None:
    """Put the outcome into a page's table of kills, in the place of what was there of the same launcher and victim."""
    lines = page.read_text(encoding="utf-8").splitlines()
    begin = lines.index(TABLE)
    end = next(number for number in range(begin + 1, len(lines)) if not lines[number].strip())
    cells = (len(report["kills"]), len(report["kills"]) - len(report["wrong"]), report["finished"])
    row = f"| {launcher} | {whom} | {' | '.join(map(str, cells))} |"
    kept = [line for line in lines[begin + 2 : end] if not line.startswith(f"| {launcher} | {whom} |")]
    lines[begin + 2 : end] = sorted([*kept, row])
    page.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    """Parse the command line and print the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--ranks", type=int, default=2, help="processes of the run")
    parser.add_argument("--within", type=int, default=10, help="a kill comes at most this many steps after the last")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="kills are made for so long at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--whom", choices=("rank", "launcher"), default="rank", help="what is killed")
    parser.add_argument("--page", type=Path, help="docs/faults.md, for a row of its table")
    given, more = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as temporary:
        report = killed_and_resumed(given.config, more, given, Path(temporary) / "run")
    if given.page is not None:
        stored = json.loads(given.config.read_text(encoding="utf-8"))
        named = "ray" if "launcher=ray" in more or stored.get("launcher") == "ray" else None
        write_row(given.page, named or ("fsdp" if "FSDP=true" in more else "ddp"), given.whom, report)
    print(json.dumps(report, indent=2))
    if report["wrong"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
