"""The worker processes of one machine: started, watched, stopped."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

import attrs

from adapt_core.execution.worker_protocol import STACK_SIGNAL, Report

_SECONDS_BETWEEN_LOOKS = 0.2
_SECONDS_FOR_THE_CAUSE = 5.0
_SECONDS_FOR_PLACES = 2.0
_KEPT = 1 << 16


@attrs.define
class Worker:
    """One worker process and what it told.

    Attributes:
        rank: its rank in the run.
        process: leader of its own process group, so that its data workers end with it.
        report: how it said that it ended.
        words: the last of what it printed, where that is not shown.
        lines: what it wrote to its channel beside the report: its place, when asked for.
        ended_at: when its end was seen (monotonic clock), for one that said nothing.
    """

    rank: int
    process: subprocess.Popen[bytes]
    report: Report | None = None
    words: bytearray = attrs.field(factory=bytearray)
    lines: bytearray = attrs.field(factory=bytearray)
    ended_at: float | None = None

    @property
    def failed(self) -> bool:
        """Whether it said so, or ended without a word."""
        if self.report is not None:
            return self.report.message is not None
        return self.ended_at is not None

    @property
    def is_cause(self) -> bool:
        """Whether its failure is no mere consequence of another's."""
        return self.failed and not (self.report is not None and self.report.of_connection)

    def read_lines(self) -> None:
        """Takes the report out of what came through the channel."""
        *whole, rest = bytes(self.lines).split(b"\n")
        kept = []
        for line in whole:
            if line.startswith(b'{"result"'):
                self.report = Report.from_line(line.decode())
            else:
                kept.append(line)
        self.lines = bytearray(b"\n".join([*kept, rest]))


@contextmanager
def started(messages: Sequence[tuple[int, str]], environments: Sequence[Mapping[str, str]]) -> Iterator[list[Worker]]:
    """The workers of this machine, running; none is left when the block ends, however it ends.

    Args:
        messages: rank and message of each.
        environments: the environment of each.
    """
    workers: list[Worker] = []
    try:
        for (rank, message), environment in zip(messages, environments, strict=True):
            process = subprocess.Popen(
                [sys.executable, "-m", "adapt_core.execution.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=None if rank == 0 else subprocess.PIPE,
                env=dict(environment),
                process_group=0,
            )
            workers.append(Worker(rank, process))
            _write(process, message)
        yield workers
    finally:
        stop(workers)


def _write(process: subprocess.Popen[bytes], message: str) -> None:
    assert process.stdin is not None
    with suppress(BrokenPipeError):  # It ended already; `watch` tells how.
        process.stdin.write(message.encode())
        process.stdin.flush()


def stop(workers: Sequence[Worker]) -> None:
    """Ends every worker with its process group. Checkpoints and artifacts are whole or not there at any moment."""
    for worker in workers:
        # The group is empty where worker and children ended by themselves.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(worker.process.pid, signal.SIGKILL)
    for worker in workers:
        worker.process.wait()
        for pipe in (worker.process.stdin, worker.process.stdout, worker.process.stderr):
            with suppress(BrokenPipeError):  # Unwritten input of a process that is gone.
                if pipe is not None:
                    pipe.close()


def watch(workers: Sequence[Worker], elsewhere: Callable[[], bool]) -> None:
    """Waits until every worker ended well, one failed, or `elsewhere` tells of a failure on another machine.

    After a failure that another one must have caused (a broken connection), the cause is waited for a little.
    """
    with selectors.DefaultSelector() as selector:
        for worker in workers:
            for pipe, kept in ((worker.process.stdout, worker.lines), (worker.process.stderr, worker.words)):
                if pipe is not None:
                    os.set_blocking(pipe.fileno(), False)
                    selector.register(pipe, selectors.EVENT_READ, (worker, kept is worker.lines))
        patience: float | None = None
        while any(worker.ended_at is None for worker in workers):
            _look(selector, workers)
            if any(worker.is_cause for worker in workers):
                return
            if elsewhere():
                return
            if any(worker.failed for worker in workers):
                patience = patience or time.monotonic() + _SECONDS_FOR_THE_CAUSE
                if time.monotonic() > patience:
                    _ask_for_places(selector, workers)
                    return


def _look(selector: selectors.BaseSelector, workers: Sequence[Worker]) -> None:
    told = set()
    for key, _ in selector.select(_SECONDS_BETWEEN_LOOKS):
        worker, is_channel = key.data
        content = os.read(key.fd, _KEPT)
        if not content:
            selector.unregister(key.fileobj)
            continue
        told.add(worker.rank)
        if is_channel:
            worker.lines += content
            worker.read_lines()
        else:
            worker.words += content
            del worker.words[:-_KEPT]
    for worker in workers:
        # Not by the end of its pipes: data workers that outlive it for seconds hold them open too.
        if worker.ended_at is None and worker.process.poll() is not None and worker.rank not in told:
            worker.ended_at = time.monotonic()


def _ask_for_places(selector: selectors.BaseSelector, workers: Sequence[Worker]) -> None:
    for worker in workers:
        if worker.report is None and worker.process.poll() is None:
            worker.process.send_signal(STACK_SIGNAL)
    end = time.monotonic() + _SECONDS_FOR_PLACES
    while time.monotonic() < end:
        _look(selector, workers)
