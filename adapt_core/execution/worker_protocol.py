"""Messages between a worker process and the launcher that started it.

The launcher writes one line of JSON to the worker's standard input (`worker.message`) and keeps the pipe open for as
long as it lives; `REGROUP`, a further line, asks for a stop after which the run goes on in more processes. The worker
writes one line of JSON to its standard output, a `Report`; all else that a worker prints goes to its standard error.
"""

from __future__ import annotations

import faulthandler
import json
import logging
import os
import signal
import sys
import threading
import time
import traceback as tracebacks
from collections.abc import Callable
from typing import Any, TextIO

import attrs

from adapt_core.errors import (
    EXIT_DEFECT,
    EXIT_DONE,
    EXIT_INPUT,
    EXIT_INTERRUPTED,
    AdaptError,
    DefectError,
    InputError,
    InterruptedRunError,
    MemoryRanOutError,
    RegroupError,
)
from adapt_core.runtime.logs import FILE_ONLY

log = logging.getLogger(__name__)

_READ_BYTES = 1 << 16

STACK_SIGNAL = signal.SIGUSR2
"""On it a worker writes its Python stack to its standard output, whatever it is doing."""

REGROUP = b"regroup\n"
"""See above (`StopRequest.regroup`)."""


@attrs.frozen(kw_only=True)
class Report:
    """How a worker ended.

    Attributes:
        result: the run's result as JSON text, of the worker of rank 0.
        message: what went wrong, or None.
        by_input: whether the user's input is at fault.
        of_memory: whether memory ran out in training.
        of_connection: whether it only reports that the connection to the other processes broke or timed out.
        stopped: whether it was asked to stop, and did so with a checkpoint, which is no failure; `message` says it.
        regroups: whether it stopped so for the run to go on in more processes.
        interrupted: the signal that ended it at once, or None.
        traceback: Python's, of what went wrong.
        at: when, in seconds of this machine's monotonic clock.
    """

    result: str | None = None
    message: str | None = None
    by_input: bool = False
    of_memory: bool = False
    of_connection: bool = False
    stopped: bool = False
    regroups: bool = False
    interrupted: str | None = None
    traceback: str = ""
    at: float = attrs.field(factory=time.monotonic)

    @classmethod
    def of_error(cls, error: BaseException) -> Report:
        """Return the report of an exception."""
        known = isinstance(error, AdaptError)
        return cls(
            message=str(error) if known else f"{type(error).__name__}: {str(error).strip() or 'no message'}",
            by_input=isinstance(error, InputError),
            of_memory=isinstance(error, MemoryRanOutError),
            of_connection=not known and _is_of_connection(error),
            stopped=isinstance(error, InterruptedRunError),
            regroups=isinstance(error, RegroupError),
            traceback="".join(tracebacks.format_exception(error)),
        )

    @property
    def failed(self) -> bool:
        """Whether it ended neither with a result nor with the checkpoint that a stop asked for."""
        return self.interrupted is not None or (self.message is not None and not self.stopped)

    @property
    def is_cause(self) -> bool:
        """Whether its failure does not follow from another process's."""
        return self.failed and not self.of_connection

    @property
    def exit_code(self) -> int:
        """The code that a process of its own exits with."""
        if self.interrupted is not None or self.stopped:
            return EXIT_INTERRUPTED
        if self.message is None:
            return EXIT_DONE
        return EXIT_INPUT if self.by_input else EXIT_DEFECT

    def as_error(self, rank: int) -> AdaptError:
        """Return the failure as the launcher raises it, with its rank; the traceback goes into log.txt."""
        log.error("rank %d:\n%s", rank, self.traceback, extra=FILE_ONLY)
        if self.by_input:
            kind = MemoryRanOutError if self.of_memory else InputError
            return kind(f"rank {rank}: {self.message}")
        error = DefectError(f"rank {rank}: {self.message} (log.txt has the traceback)")
        error.add_note(self.traceback)
        return error

    def to_line(self) -> str:
        """One line of JSON."""
        return json.dumps(attrs.asdict(self)) + "\n"

    @classmethod
    def from_line(cls, line: str) -> Report:
        """Return the report that `to_line` wrote."""
        return cls(**json.loads(line))


def _is_of_connection(error: BaseException) -> bool:
    from torch import distributed

    if isinstance(error, distributed.DistError):
        return True
    # gloo raises plain RuntimeErrors, out of the backward pass too.
    signs = ("gloo", "Connection closed by peer", "Connection reset by peer", "Broken pipe", "Timed out waiting")
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in signs)


def take_standard_output() -> TextIO:
    """Return the channel to the launcher: from here on standard output goes to standard error."""
    channel = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    faulthandler.register(STACK_SIGNAL, file=channel, all_threads=False)
    return channel


def receive(regroup: Callable[[], None] = lambda: None) -> Any:
    """Return the launcher's message. From here on this process and its children end when the launcher does.

    Args:
        regroup: called, in another thread, when the launcher sends `REGROUP`.
    """
    content = b""
    while b"\n" not in content and (part := os.read(0, _READ_BYTES)):
        content += part
    line, _, rest = content.partition(b"\n")
    received = json.loads(line)
    watch = threading.Thread(target=_end_with_the_launcher, args=(rest, regroup), daemon=True, name="launcher-watch")
    watch.start()
    return received


def _end_with_the_launcher(further: bytes, regroup: Callable[[], None]) -> None:
    # Not by sys.stdin: its lock, held here when Python ends, would abort the process.
    while further or (further := os.read(0, _READ_BYTES)):
        regroup()
        further = b""
    if os.getpgid(0) == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(1)
