"""Runs of several processes that are killed and stopped: their commands, their ranks, and what is left of them."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from adapt_core.run_folder.checkpoints import fault, step_of
from stress.preloaded import Forked, fork_command

SECONDS_TO_END = 60.0
SECONDS_TO_LEAVE = 15.0
SECONDS_WITHOUT_A_STEP = 240.0
KEPT = 3
"""Checkpoints that the small job keeps."""
ROOT = Path(__file__).parent.parent


def small_job(folder: Path, **changes: Any) -> Path:
    """Write a config of two processes that takes seconds, with its model, and return it.

    A BERT of two layers, 32 wide, trains 64 steps on examples/inbox; each fifth step evaluates and saves a checkpoint.

    Args:
        folder: where both are written.
        changes: keys that differ.
    """
    from adapt_core.testing import small_models

    inbox = ROOT / "examples" / "inbox"
    texts = [json.loads(line)["text"] for line in (inbox / "train.jsonl").read_text(encoding="utf-8").splitlines()]
    keys = {
        "TASK": "text_classification",
        "MODEL_PATH": str(small_models.bert(folder / "bert", texts)),
        "CUSTOM_DATASET_PATH": str(inbox),
        "MAX_TRAIN_SAMPLES": 128,
        "MAX_EVAL_SAMPLES": 16,
        "VERDICT": "none",
        "EPOCHS": 8,
        "LR": 0.01,
        "NUM_WORKERS": 0,
        "BATCH_SIZE": 8,
        "LOGGING_STEPS": 1,
        "INTERVAL": "steps",
        "INTERVAL_STEPS": 5,
        "NO_OF_CHECKPOINTS": KEPT,
        "num_processes": 2,
        "use_cpu": True,
        **changes,
    }
    (folder / "config.json").write_text(json.dumps(keys), encoding="utf-8")
    return folder / "config.json"


@contextmanager
def two_networks() -> Iterator[list[str]]:
    """Make two network namespaces, joined by a wire, with the addresses 10.231.0.1 and 10.231.0.2. Needs root."""
    names = [f"stress-{os.getpid()}-{number}" for number in range(2)]

    def ip(*words: str) -> None:
        subprocess.run(["ip", *words], check=True)

    try:
        for name in names:
            ip("netns", "add", name)
        ip("-n", names[0], "link", "add", "wire0", "type", "veth", "peer", "name", "wire1", "netns", names[1])
        for number, name in enumerate(names):
            ip("-n", name, "addr", "add", f"10.231.0.{number + 1}/24", "dev", f"wire{number}")
            ip("-n", name, "link", "set", f"wire{number}", "up")
            ip("-n", name, "link", "set", "lo", "up")
        yield names
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], check=False)


class Run:
    """One `adapt run --resume` on a config: a command, or one on each of two machines.

    Args:
        config: of the run.
        folder: OUTPUT_DIR.
        arguments: further ones of the command.
        name: of its files beside the folder.
        networks: the namespaces of the machines; none for a command here.
        preloaded: whether the processes are forked; Ray starts its own.
    """

    def __init__(
        self,
        config: Path,
        folder: Path,
        arguments: Sequence[str],
        name: str,
        networks: Sequence[str] = (),
        *,
        preloaded: bool = True,
    ) -> None:
        self.folder, self.began = folder, time.time()
        self.errors = [folder.parent / f"{name}.{number}.err" for number in range(max(1, len(networks)))]
        self._ranks = folder.parent / f"{name}.ranks"
        self._children: list[psutil.Process] = []
        command = ["run", str(config), "--resume", "--set", f"OUTPUT_DIR={folder}", *arguments]
        self.commands: list[Forked | subprocess.Popen[bytes]] = []
        for number, errors in enumerate(self.errors):
            if not preloaded:
                self.commands.append(_started(command, errors))
                continue
            place = [word for item in _machine(number) for word in ("--set", item)] if networks else []
            network = networks[number] if networks else None
            self.commands.append(fork_command([*command, *place], errors, self._ranks, network))

    def said(self, number: int = 0) -> str:
        """Return what a command wrote to standard error."""
        return self.errors[number].read_text(errors="replace") if self.errors[number].exists() else ""

    def running(self) -> bool:
        """Return whether a command runs."""
        return any(command.poll() is None for command in self.commands)

    def wait(self) -> int:
        """Wait for all commands, and return the greatest exit code."""
        return max(command.wait() for command in self.commands)

    def workers(self) -> dict[int, int]:
        """Return rank -> process id of the workers that are there."""
        marks = {int(path.name): path for path in self._ranks.glob("*")} if self._ranks.is_dir() else {}
        of_ray = re.findall(r"rank (\d+) is process (\d+) of ", self.said())
        alive = {int(path.read_text() or -1): pid for pid, path in marks.items() if _alive(pid)}
        return {**alive, **{int(rank): int(pid) for rank, pid in of_ray if _alive(int(pid))}}

    def step(self) -> int:
        """Return the last step that this run logged, -1 without one."""
        figures = self.folder / "metrics.jsonl"
        try:
            if figures.stat().st_mtime < self.began:
                return -1  # Of the run before: later lines are removed only when this one trains.
            lines = [json.loads(line) for line in figures.read_text().splitlines()]
        except (FileNotFoundError, json.JSONDecodeError):  # A line that is being written.
            return -1
        return max((line["step"] for line in lines if line["phase"] == "train"), default=-1)

    def wait_for(self, step: int) -> bool:
        """Return whether training reached a step before the run ended.

        Raises:
            TimeoutError: nothing happened for minutes.
        """
        seen, since = -1, time.monotonic()
        while self.running():
            reached = self.step()
            if reached >= step:
                return True
            if reached != seen:
                seen, since = reached, time.monotonic()
            if time.monotonic() - since > SECONDS_WITHOUT_A_STEP:
                raise TimeoutError(f"no step after {seen}: {self.said()[-300:]}")
            time.sleep(0.01)
        return False

    def wait_until(self, seconds: float) -> bool:
        """Return whether it still runs so long after its start."""
        while self.running() and time.time() < self.began + seconds:
            time.sleep(0.01)
        return self.running()

    def kill(self, rank: int) -> int | None:
        """Kill a rank's process as soon as it is there, and return its id; None if the run ended before."""
        while (pid := self.workers().get(rank)) is None and self.running():
            time.sleep(0.01)
        if pid is None:
            return None
        self._remember()
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            return pid
        return None

    def kill_commands(self, *numbers: int) -> bool:
        """Kill commands, and return whether they ran."""
        running = [number for number in numbers if self.commands[number].poll() is None]
        self._remember()
        for number in running:
            self.commands[number].kill()
        for number in running:
            self.commands[number].wait()
        return bool(running)

    def ended(self, seconds: float) -> list[str]:
        """Wait for the end of all commands; return what is wrong: a hang, processes and half checkpoints left."""
        end = time.monotonic() + seconds
        for number, command in enumerate(self.commands):
            try:
                command.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                return [f"hang: command {number} still ran after {seconds:g} s"]
        return [*(f"process {one} was left" for one in self._left()), *half_checkpoints(self.folder)]

    def end(self) -> None:
        """Kill all that is left."""
        for pid in self._of_sessions():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _remember(self) -> None:
        """Note the processes of the commands: Ray's are in sessions of their own."""
        for command in self.commands:
            with suppress(psutil.NoSuchProcess):
                self._children += psutil.Process(command.pid).children(recursive=True)

    def _left(self) -> list[str]:
        end = time.monotonic() + SECONDS_TO_LEAVE
        psutil.wait_procs(self._children, timeout=SECONDS_TO_LEAVE)
        while (left := self._of_sessions()) and time.monotonic() < end:
            time.sleep(0.02)
        alive = {one.pid for one in self._children if one.is_running() and one.status() != psutil.STATUS_ZOMBIE}
        return [str(pid) for pid in sorted({*left, *alive})]

    def _of_sessions(self) -> list[int]:
        """Return the living processes of the sessions that the commands lead."""
        leaders = {command.pid for command in self.commands}
        found = []
        for entry in Path("/proc").iterdir():
            with suppress(OSError):
                if entry.name.isdigit():
                    state, _, _, session = (entry / "stat").read_text().rpartition(")")[2].split()[:4]
                    if int(session) in leaders and state not in "ZX":
                        found.append(int(entry.name))
        return found


def half_checkpoints(folder: Path) -> list[str]:
    """Return what is wrong with checkpoints that are neither being written nor being deleted.

    The first are newer than every complete one; of the second, KEPT complete ones are newer.
    """
    there = sorted((folder / "checkpoints").glob("checkpoint-*"), key=step_of)
    faults = {path: fault(path) for path in there}
    complete = [path for path in there if faults[path] is None]
    between = [
        path
        for path in there
        if path not in complete and 0 < sum(step_of(one) > step_of(path) for one in complete) < KEPT
    ]
    return [f"{path.name}: {faults[path]}" for path in between]


def digest(folder: Path) -> str:
    """Return a digest of the files of weights in `model/`."""
    digests = hashlib.sha256()
    for path in sorted((folder / "model").rglob("*")):
        if path.suffix in (".safetensors", ".pt", ".bin"):
            digests.update(path.read_bytes())
    return digests.hexdigest()


def write_row(page: Path, table: str, row: Sequence[object], keys: int, *, more: bool) -> None:
    """Put a row into a page's table, in the place of one that begins with the same cells.

    Args:
        page: the page.
        table: the table's first line.
        row: the cells: names, then counts.
        keys: how many of the first cells are names.
        more: whether the counts are added to those of the row that is there.
    """
    lines = page.read_text(encoding="utf-8").splitlines()
    begin = lines.index(table)
    end = next(number for number in range(begin + 1, len(lines)) if not lines[number].strip())
    cells = [str(cell) for cell in row]
    named = f"| {' | '.join(cells[:keys])} |"
    for line in lines[begin + 2 : end]:
        if more and line.startswith(named):
            before = [int(cell) for cell in line.strip("| ").split(" | ")[keys:]]
            cells[keys:] = [str(int(cell) + one) for cell, one in zip(cells[keys:], before, strict=True)]
    kept = [line for line in lines[begin + 2 : end] if not line.startswith(named)]
    lines[begin + 2 : end] = sorted([*kept, f"| {' | '.join(cells)} |"])
    page.write_text("\n".join(lines) + "\n", encoding="utf-8")


def take(run: Run, expected: str) -> list[str]:
    """Return what is wrong with a run that has finished, and remove its folder, so that the next begins anew.

    Args:
        run: the run.
        expected: the digest of the run that was left alone.
    """
    wrong = [] if digest(run.folder) == expected else ["other weights than those of the run that was left alone"]
    there = list((run.folder / "checkpoints").glob("checkpoint-*"))
    wrong += [f"{path.name} was left: {reason}" for path in there if (reason := fault(path))]
    if len(there) > KEPT:
        wrong.append(f"{len(there)} checkpoints were kept")
    shutil.rmtree(run.folder)
    return wrong


def _machine(number: int) -> list[str]:
    return [
        "num_machines=2",
        "num_processes=1",
        "main_process_ip=10.231.0.1",
        "machine_timeout=60",
        f"machine_rank={number}",
    ]


def _started(command: Sequence[str], errors: Path) -> subprocess.Popen[bytes]:
    with errors.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "adapt_core", *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=output,
            start_new_session=True,
        )


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
