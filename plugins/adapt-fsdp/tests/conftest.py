"""Fixtures of adapt-fsdp's tests: real runs in real processes, small enough for two cores."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs
import pytest

from adapt_core.result import RunResult

from .jobs import in_two_processes

Keys = dict[str, Any]


@pytest.fixture
def keys(tiny_encoder: Path, inbox: Path, tmp_path: Path) -> Keys:
    """See `jobs.in_two_processes`."""
    return in_two_processes(tiny_encoder, inbox, tmp_path)


def running(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.fixture
def gone() -> Callable[[list[int]], bool]:
    """Whether processes end within 20 seconds."""

    def all_gone(pids: list[int]) -> bool:
        end = time.monotonic() + 20
        while any(running(pid) for pid in pids) and time.monotonic() < end:
            time.sleep(0.05)
        return not any(running(pid) for pid in pids)

    return all_gone


@attrs.define
class Started:
    """An `adapt run` that goes on while a test does something to it."""

    process: subprocess.Popen[str]
    folder: Path

    def workers(self) -> dict[int, int]:
        """Rank -> process id of the workers."""
        found = {}
        children = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        for pid in (int(word) for path in children for word in path.read_text().split()):
            with suppress(OSError):
                # The command line first: a process that is being started has the environment of the one that starts it.
                if b"adapt_core.execution.worker" not in Path(f"/proc/{pid}/cmdline").read_bytes():
                    continue
                items = Path(f"/proc/{pid}/environ").read_text().split("\0")
                environment = dict(item.split("=", 1) for item in items if "=" in item)
                # The system shows no environment of a process that has just been started, or is ending.
                if "RANK" in environment:
                    found[int(environment["RANK"])] = pid
        return found

    def step(self) -> int:
        """The last step that was logged."""
        with suppress(FileNotFoundError):
            lines = [json.loads(line) for line in (self.folder / "metrics.jsonl").read_text().splitlines()]
            return max((line["step"] for line in lines if line["phase"] == "train"), default=0)
        return 0

    def wait_for_step(self, step: int) -> dict[int, int]:
        """Waits until training is that far, and returns the workers."""
        while self.step() < step:
            assert self.process.poll() is None, self.process.communicate()
            time.sleep(0.02)
        return self.workers()

    def end(self) -> tuple[int, str]:
        """Exit code and what was written to standard error."""
        _, errors = self.process.communicate(timeout=600)
        return self.process.returncode, errors


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Started]]:
    """Starts `adapt run` on keys; whatever is left of it at the end of the test is ended."""
    begun: list[Started] = []

    def begin(keys: Keys, *arguments: str, env: dict[str, str] | None = None, inside: Sequence[str] = ()) -> Started:
        config = tmp_path / f"config-{len(begun)}.json"
        config.write_text(json.dumps(keys), encoding="utf-8")
        process = subprocess.Popen(
            [*inside, sys.executable, "-m", "adapt_core", "run", str(config), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **(env or {})},
            # A test run in the background would hand down that Ctrl-C is ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        begun.append(Started(process, Path(keys["OUTPUT_DIR"])))
        return begun[-1]

    yield begin
    for run in begun:
        if run.process.poll() is None:
            run.process.send_signal(signal.SIGKILL)
            run.process.communicate()


@pytest.fixture
def ended(start: Callable[..., Started]) -> Callable[..., RunResult]:
    """Runs `adapt run` on keys to its end and returns its result."""

    def run(keys: Keys, *arguments: str, env: dict[str, str] | None = None) -> RunResult:
        output, errors = (begun := start(keys, "--json", *arguments, env=env)).process.communicate(timeout=600)
        assert begun.process.returncode == 0, errors
        return RunResult.from_json(output)

    return run


@pytest.fixture
def fault(tmp_path: Path) -> Callable[[int, str], dict[str, str]]:
    """The environment in which one rank runs a line of Python before its third training step."""

    def inject(rank: int, line: str) -> dict[str, str]:
        folder = tmp_path / "fault"
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(
            "import os, sys\n"
            f"if os.environ.get('RANK') == '{rank}':\n"
            "    import transformers.trainer as trainer\n"
            "    whole, calls = trainer.Trainer.training_step, []\n"
            "    def training_step(self, *args, **kwargs):\n"
            "        calls.append(0)\n"
            "        if len(calls) == 3:\n"
            f"            {line}\n"
            "        return whole(self, *args, **kwargs)\n"
            "    trainer.Trainer.training_step = training_step\n",
            encoding="utf-8",
        )
        return {"PYTHONPATH": os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])}

    return inject
