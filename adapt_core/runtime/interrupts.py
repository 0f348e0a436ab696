"""Ctrl-C and SIGTERM: the first asks training to stop at its next step with a checkpoint, the second ends at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from types import FrameType
from typing import NoReturn

from adapt_core.errors import InterruptedRunError

_NAMES = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}


class StopRequest:
    """The request to stop, which a loop checks after each step and the signal handlers set.

    Attributes:
        asked: the signal's name once a stop was asked for, else None.
    """

    def __init__(self) -> None:
        self.asked: str | None = None
        self._heeded = False

    @contextmanager
    def heeded(self) -> Iterator[None]:
        """Let a loop train that checks `asked` after each step. Outside this block a signal ends the run at once."""
        self._heeded = True
        try:
            yield
        finally:
            self._heeded = False

    def end(self, step: int) -> NoReturn:
        """End the run whose checkpoint of this step is written.

        Raises:
            InterruptedRunError: always.
        """
        raise InterruptedRunError(
            f"stopped by {self.asked} at step {step}, whose checkpoint is written. "
            "Go on with the same command and --resume."
        )

    @contextmanager
    def on_signals(self, say: Callable[[str], None]) -> Iterator[None]:
        """Handle SIGINT and SIGTERM while the block runs, in the main thread of the main interpreter.

        A signal that is ignored (a job of nohup) stays ignored.

        Args:
            say: shows one line of text.
        """
        owner = os.getpid()

        def handle(number: int, frame: FrameType | None) -> None:
            if os.getpid() != owner:
                return  # a data-loading process, forked with this handler: the run's own process decides
            name = _NAMES[signal.Signals(number)]
            if not self._heeded or self.asked is not None:
                raise KeyboardInterrupt(name)
            self.asked = name
            told.put(f"{name}: stopping after this step with a checkpoint. Once more ends at once.")

        if threading.current_thread() is not threading.main_thread():
            yield
            return
        # The handler may break into a line that is just being written: only another thread can wait for its end.
        told: SimpleQueue[str | None] = SimpleQueue()
        teller = threading.Thread(target=_tell, args=(told, say), daemon=True)
        teller.start()
        before = {number: signal.getsignal(number) for number in _NAMES}
        taken = [number for number, handler in before.items() if handler not in (signal.SIG_IGN, None)]
        for number in taken:
            signal.signal(number, handle)
        try:
            yield
        finally:
            for number in taken:
                signal.signal(number, before[number])
            told.put(None)
            teller.join()


def _tell(lines: SimpleQueue[str | None], say: Callable[[str], None]) -> None:
    while (line := lines.get()) is not None:
        say(line)
