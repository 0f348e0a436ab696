"""What is done with a signal before any loop looks at it."""

from __future__ import annotations

import io
import os
import signal

import pytest

from adapt_core.runtime.interrupts import StopRequest
from adapt_core.runtime.progress import PlainReporter


class BreaksIn(io.RawIOBase):
    """A stream whose first write is interrupted by a signal."""

    def __init__(self) -> None:
        self.written = b""

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        if not self.written:
            os.kill(os.getpid(), signal.SIGTERM)
        self.written += bytes(data)
        return len(data)


def test_a_signal_that_breaks_into_a_line_is_told_behind_it() -> None:
    raw = BreaksIn()
    reporter = PlainReporter(io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8"))
    stop = StopRequest()
    with stop.on_signals(reporter.message), stop.heeded():
        reporter.message("step 4")
    assert stop.asked == "SIGTERM"
    assert raw.written.decode().splitlines() == [
        "step 4",
        "SIGTERM: stopping after this step with a checkpoint. Once more ends at once.",
    ]


def test_a_second_signal_ends_at_once() -> None:
    stop = StopRequest()
    with stop.on_signals(lambda line: None), stop.heeded():
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt, match="SIGTERM"):
            os.kill(os.getpid(), signal.SIGTERM)
