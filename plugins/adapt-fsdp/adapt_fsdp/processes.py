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

from adapt_core.execution.worker_protocol import REGROUP, STACK_SIGNAL, Report

_POLL_INTERVAL = 0.2
_CAUSE_TIMEOUT = 5.0
_STACK_TIMEOUT = 2.0
_KEPT_BYTES = 1 << 16


@attrs.define
class Worker:
    """One worker process and its output.

    Attributes:
        rank: its rank in the run.
        process: leader of its own process group, so that its data workers end with it.
        report: its own report of how it ended.
        output: the end of what it printed, where that is not shown.
        lines: what it wrote to its channel besides the report: its stack, when asked.
        ended_at: when its end was seen (monotonic clock), for a process without a report.
    """

    rank: int
    process: subprocess.Popen[bytes]
    report: Report | None = None
    output: bytearray = attrs.field(factory=bytearray)
    lines: bytearray = attrs.field(factory=bytearray)
    ended_at: float | None = None

    @property
    def failed(self) -> bool:
        """Whether it reported a failure, or ended without a report."""
        if self.report is not None:
            return self.report.failed
        return self.ended_at is not None

    @property
    def is_cause(self) -> bool:
        """Whether its failure does not follow from another process's."""
        return self.failed and not (self.report is not None and self.report.of_connection)

    def read_lines(self) -> None:
        """Separate the report from the other lines of the channel."""
        *complete, rest = bytes(self.lines).split(b"\n")
        kept = []
        for line in complete:
            if line.startswith(b'{"result"'):
                self.report = Report.from_line(line.decode())
            else:
                kept.append(line)
        self.lines = bytearray(b"\n".join([*kept, rest]))


@contextmanager
def started(messages: Sequence[tuple[int, str]], environments: Sequence[Mapping[str, str]]) -> Iterator[list[Worker]]:
    """Start the workers of this machine; none is left when the block ends, however it ends.

    Args:
        messages: rank and message of each.
        environments: the environment of each.
    """
    workers: list[Worker] = []
    try:
        for (rank, message), environment in zip(messages, environments, strict=True):
            process = subprocess.Popen(
                # -P: nothing in the working directory is imported in place of an installed module.
                [sys.executable, "-P", "-m", "adapt_core.execution.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=None if rank == 0 else subprocess.PIPE,
                env=dict(environment),
                process_group=0,
            )
            workers.append(Worker(rank, process))
            _write(process, message.encode())
        yield workers
    finally:
        stop(workers)


def _write(process: subprocess.Popen[bytes], message: bytes) -> None:
    assert process.stdin is not None
    with suppress(BrokenPipeError):  # It ended already; `watch` finds out how.
        process.stdin.write(message)
        process.stdin.flush()


def stop(workers: Sequence[Worker]) -> None:
    """End every worker with its process group. Checkpoints and artifacts are complete or absent at any moment."""
    for worker in workers:
        # The group is empty where the worker and its children ended by themselves.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(worker.process.pid, signal.SIGKILL)
    for worker in workers:
        worker.process.wait()
        for pipe in (worker.process.stdin, worker.process.stdout, worker.process.stderr):
            with suppress(BrokenPipeError):  # Unwritten input of a process that is gone.
                if pipe is not None:
                    pipe.close()


def pass_on(workers: Sequence[Worker], number: int) -> None:
    """Send a signal to each worker, and not to its children."""
    for worker in workers:
        if worker.process.poll() is None:
            worker.process.send_signal(number)


def regroup(workers: Sequence[Worker]) -> None:
    """Ask the workers, and so those of other machines, for a stop after which the run goes on in more of them."""
    for worker in workers:
        _write(worker.process, REGROUP)


def watch(workers: Sequence[Worker], elsewhere: Callable[[], bool]) -> None:
    """Wait until every worker ended well, one failed, or `elsewhere` reports a failure on another machine.

    A worker that stopped with a checkpoint ended well.

    After a failure that another process must have caused (a broken connection), wait a few seconds for the cause.
    """
    with selectors.DefaultSelector() as selector:
        for worker in workers:
            for pipe, kept in ((worker.process.stdout, worker.lines), (worker.process.stderr, worker.output)):
                if pipe is not None:
                    os.set_blocking(pipe.fileno(), False)
                    selector.register(pipe, selectors.EVENT_READ, (worker, kept is worker.lines))
        deadline: float | None = None
        while any(worker.ended_at is None for worker in workers):
            _poll(selector, workers)
            if any(worker.is_cause for worker in workers):
                return
            if elsewhere():
                return
            if any(worker.failed for worker in workers):
                deadline = deadline or time.monotonic() + _CAUSE_TIMEOUT
                if time.monotonic() > deadline:
                    _request_stacks(selector, workers)
                    return


def _poll(selector: selectors.BaseSelector, workers: Sequence[Worker]) -> None:
    active = set()
    for key, _ in selector.select(_POLL_INTERVAL):
        worker, is_channel = key.data
        content = os.read(key.fd, _KEPT_BYTES)
        if not content:
            selector.unregister(key.fileobj)
            continue
        active.add(worker.rank)
        if is_channel:
            worker.lines += content
            worker.read_lines()
        else:
            worker.output += content
            del worker.output[:-_KEPT_BYTES]
    for worker in workers:
        # Not by the end of its pipes: data workers that outlive it for seconds hold them open too.
        if worker.ended_at is None and worker.process.poll() is not None and worker.rank not in active:
            worker.ended_at = time.monotonic()


def _request_stacks(selector: selectors.BaseSelector, workers: Sequence[Worker]) -> None:
    for worker in workers:
        if worker.report is None and worker.process.poll() is None:
            worker.process.send_signal(STACK_SIGNAL)
    end = time.monotonic() + _STACK_TIMEOUT
    while time.monotonic() < end:
        _poll(selector, workers)
