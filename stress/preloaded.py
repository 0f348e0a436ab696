"""Commands and their workers in processes whose imports are done: forked, not started from nothing.

`adapt run` with several processes imports torch and its libraries in each of them, which takes far longer than a small
run and is not what is stressed. `preload` imports them once in the process of the script; `Forked` is an `adapt`
command in a session of its own, and the processes that its launcher starts are forked from it in turn. Else they are
what they are: real processes with pipes, groups, signals, exit codes. Environment variables that a module reads when it
is imported do nothing in them.
"""

from __future__ import annotations

import ctypes
import gc
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import IO, Any, NoReturn

_MODULES = (
    "adapt_core.hf.loop.loop",
    "adapt_core.execution.pipeline",
    "adapt_core.report",
    "adapt_core.cli.run",
    "adapt_nlp.text_classification.task",
    "adapt_fsdp.launch",
    "adapt_fsdp.fsdp",
)
_CLONE_NEWNET = 0x40000000
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)


def preload() -> None:
    """Import what runs of a language task need, in this process."""
    for module in _MODULES:
        import_module(module)
    gc.freeze()  # Collections in the processes pass over what was imported.


class Forked:
    """A process that was forked. Its attributes and methods are those of `subprocess.Popen` that are used.

    Args:
        pid: its id.
        stdin, stdout, stderr: this side's ends of its pipes.
    """

    def __init__(self, pid: int, *pipes: IO[bytes] | None) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.stdin, self.stdout, self.stderr = pipes or (None, None, None)

    def poll(self) -> int | None:
        """Return the exit code, negative for a signal; None while it runs."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code once it has ended.

        Raises:
            subprocess.TimeoutExpired: it has not after `timeout` seconds.
        """
        end = time.monotonic() + (timeout if timeout is not None else float("inf"))
        while (code := self.poll()) is None:
            if time.monotonic() > end:
                raise subprocess.TimeoutExpired("a forked process", timeout or 0.0)
            time.sleep(0.005)
        return code

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it, unless it has ended."""
        self.send_signal(signal.SIGKILL)


def fork_command(arguments: Sequence[str], errors: Path, ranks: Path, network: str | None = None) -> Forked:
    """Start `adapt ARGUMENTS...` in a session of its own.

    Args:
        arguments: of the command.
        errors: where its standard error goes; standard output is dropped.
        ranks: an empty folder, in which each worker leaves a file named by its process id that holds its rank.
        network: the network namespace that it is in (`ip netns`); this process's own without it.
    """
    ranks.mkdir(parents=True, exist_ok=True)
    if pid := os.fork():
        return Forked(pid)
    os.setsid()
    code = 1
    try:
        if network is not None:
            _enter(network)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.argv = ["adapt", *arguments]
        _fork_workers(ranks)
        import_module("adapt_core.cli").main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    finally:
        _leave(code)


def _fork_workers(ranks: Path) -> None:
    """Let the launcher of this process fork its workers."""
    import adapt_fsdp.processes

    class Started:
        """What the module uses of `subprocess`."""

        PIPE = subprocess.PIPE

        @staticmethod
        def Popen(  # noqa: N802 - subprocess's name
            command: Sequence[str], *, stderr: int | None, env: Mapping[str, str], **options: Any
        ) -> Forked:
            return _fork_worker(env, ranks, own_errors=stderr is not None)

    vars(adapt_fsdp.processes)["subprocess"] = Started


def _fork_worker(environment: Mapping[str, str], ranks: Path, *, own_errors: bool) -> Forked:
    given, into = os.pipe()
    outof, printed = os.pipe()
    wrong, complained = os.pipe() if own_errors else (None, None)
    # A signal between here and the end of `_become_worker` would find the handlers of the command.
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    if pid := os.fork():
        os.setpgid(pid, pid)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        for end in (given, printed, complained):
            if end is not None:
                os.close(end)
        pipes = (os.fdopen(into, "wb"), os.fdopen(outof, "rb"), None if wrong is None else os.fdopen(wrong, "rb"))
        return Forked(pid, *pipes)
    code = 1
    try:
        _become_worker((given, printed, complained), environment)
        (ranks / str(os.getpid())).write_text(environment["RANK"])
        code = import_module("adapt_core.execution.worker").main()
    finally:
        _leave(code)


def _become_worker(streams: Sequence[int | None], environment: Mapping[str, str]) -> None:
    """Give this fork of a command the streams, environment, handlers and logs of a process of its own."""
    os.setpgid(0, 0)
    for number, stream in enumerate(streams):
        if stream is not None:
            os.dup2(stream, number)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))  # the command's: its store, and the pipes of the other workers
    for logger in [logging.getLogger(), *map(logging.getLogger, list(logging.Logger.manager.loggerDict))]:
        logger.handlers.clear()
    sys.stdin, sys.stdout, sys.stderr = sys.__stdin__, sys.__stdout__, sys.__stderr__  # a command redirects its own
    signal.set_wakeup_fd(-1)
    for number in _SIGNALS:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    os.environ.clear()
    os.environ.update(environment)


def _enter(network: str) -> None:
    """Enter a network namespace."""
    with open(f"/var/run/netns/{network}", "rb") as place:
        if ctypes.CDLL(None, use_errno=True).setns(place.fileno(), _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"the network {network} cannot be entered")


def _leave(code: int) -> NoReturn:
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code & 0xFF)
