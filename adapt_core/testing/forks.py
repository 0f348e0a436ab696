"""Processes that start with heavy modules already imported, for tests of many short programs.

Importing torch and transformers takes seconds, in each process anew. A `ForkServer` imports them once and forks: each
program gets a process of its own, with its own folder, environment, output, signals and exit code, as from
`subprocess.run([sys.executable, "-c", code])`. What differs: its imports are done, so environment variables that a
module reads when it is imported do nothing, and its modules are not taken apart at its end: a file that is open then
is not flushed. A test of imports, or of such a variable, uses `subprocess`.
"""

from __future__ import annotations

import atexit
import functools
import itertools
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from adapt_core.testing import fork_server

COMMAND = "from adapt_core.cli import main; main()"
"""A program that is the `adapt` command."""

LIBRARIES = ("torch", "torchvision", "transformers.modeling_utils", "transformers.models.auto.modeling_auto", "timm")
"""Modules that load a saved model without adapt."""

LOOP = (*LIBRARIES, "transformers.trainer", "datasets", "peft", "adapt_core.cli.run", "adapt_core.hf.loop.loop")
"""Modules of a run in the Hugging Face loop."""

ENVIRONMENT = dict(os.environ)
"""Variables that servers start with, as they are when this module is imported: what a test sets is for its programs."""


class Forked:
    """One program that a `ForkServer` started.

    Attributes:
        pid: its process.
        returncode: its exit code, or minus the signal that ended it; None while it runs.
    """

    def __init__(self, server: ForkServer, pid: int, folder: Path) -> None:
        self._server = server
        self.pid = pid
        self.returncode: int | None = None
        self._output, self._errors = folder / "output", folder / "errors"

    def poll(self) -> int | None:
        """Return its exit code, or None while it runs."""
        if self.returncode is None:
            self.returncode = self._server.ask({"wait": self.pid})
        return self.returncode

    def wait(self, timeout: float) -> int:
        """Return its exit code once it has ended.

        Raises:
            subprocess.TimeoutExpired: it has not ended after `timeout` seconds; it is killed.
        """
        end = time.monotonic() + timeout
        while (code := self.poll()) is None:
            if time.monotonic() > end:
                self.kill()
                raise subprocess.TimeoutExpired("a forked program", timeout, self.stdout, self.stderr)
            time.sleep(0.01)
        return code

    def wait_until(self, holds: Callable[[], bool], timeout: float) -> None:
        """Return once a condition holds.

        Raises:
            RuntimeError: it has ended before.
            subprocess.TimeoutExpired: the condition does not hold after `timeout` seconds; it is killed.
        """
        end = time.monotonic() + timeout
        while not holds():
            if self.poll() is not None:
                raise RuntimeError(f"a forked program has ended with {self.returncode}:\n{self.stderr}")
            if time.monotonic() > end:
                self.kill()
                raise subprocess.TimeoutExpired("a forked program", timeout, self.stdout, self.stderr)
            time.sleep(0.01)

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it and the processes of its group, unless it has ended."""
        if self.poll() is not None:
            return
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:  # It has no group of its own yet.
            os.kill(self.pid, signal.SIGKILL)

    @property
    def stdout(self) -> str:
        """What it has written to standard output."""
        return self._output.read_text(encoding="utf-8")

    @property
    def stderr(self) -> str:
        """What it has written to standard error."""
        return self._errors.read_text(encoding="utf-8")


class ForkServer:
    """A process that has imported modules, and forks a child for each program.

    Args:
        modules: what to import; those that are not installed are left out.
    """

    def __init__(self, *modules: str) -> None:
        command = [sys.executable, "-P", fork_server.__file__, *modules]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=ENVIRONMENT)
        self._files = tempfile.TemporaryDirectory(prefix="adapt-forks-")
        self._programs: list[Forked] = []
        self._folders = itertools.count(1)
        atexit.register(self.close)

    def ask(self, request: Mapping[str, Any]) -> Any:
        """Send a request and return its answer (`fork_server`).

        Raises:
            RuntimeError: the server has ended.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise RuntimeError(f"the fork server has ended with exit code {self._process.wait()}")
        return json.loads(answer)

    def start(
        self,
        code: str,
        *arguments: str,
        folder: Path,
        environment: Mapping[str, str] | None = None,
        given: bytes = b"",
    ) -> Forked:
        """Start `python -c code arguments...`.

        Args:
            folder: its working directory.
            environment: variables besides those of this process.
            given: what it reads from standard input.
        """
        files = Path(self._files.name, str(next(self._folders)))
        files.mkdir()
        streams = [files / name for name in ("input", "output", "errors")]
        for stream in streams:
            stream.touch()
        streams[0].write_bytes(given)
        request = {
            "code": code,
            "arguments": arguments,
            "folder": str(folder),
            "environment": {**os.environ, **(environment or {})},
            "streams": [str(stream) for stream in streams],
        }
        self._programs.append(Forked(self, self.ask(request), files))
        return self._programs[-1]

    def run(
        self,
        code: str,
        *arguments: str,
        folder: Path,
        environment: Mapping[str, str] | None = None,
        given: bytes = b"",
        timeout: float = 300,
    ) -> subprocess.CompletedProcess[str]:
        """Run `python -c code arguments...` to its end and return its exit code and what it wrote.

        Args:
            folder, environment, given: as for `start`.
            timeout: in seconds.

        Raises:
            subprocess.TimeoutExpired: it has not ended after `timeout` seconds.
        """
        started = self.start(code, *arguments, folder=folder, environment=environment, given=given)
        return subprocess.CompletedProcess(["-c", *arguments], started.wait(timeout), started.stdout, started.stderr)

    def close(self) -> None:
        """Kill the programs that still run, and end the server."""
        assert self._process.stdin is not None
        if self._process.poll() is None:
            for program in self._programs:
                program.kill()
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()
        self._files.cleanup()


@functools.cache
def fork_server_of(*modules: str) -> ForkServer:
    """Return the server of this process that has imported these modules.

    With a GPU it imports none of them beforehand: a library that looks for the GPU leaves it unusable for its forks.
    """
    return ForkServer(*(() if Path("/dev/nvidiactl").exists() else modules))
