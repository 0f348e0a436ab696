"""Requests to stop a run: Ctrl-C, SIGTERM, SIGUSR1 and STOP_AFTER end training at its next step with a checkpoint.

A second signal ends it at once. The processes of a run agree after each step, so that all of them write the same
checkpoint, whichever of them was asked. So they do where a machine joins the run, which goes on with it.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from adapt_core.config.stop_after import StopAfter
from adapt_core.errors import InterruptedRunError, RegroupError

if TYPE_CHECKING:
    from adapt_core.distributed.world import World

_NAMES = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}
if hasattr(signal, "SIGUSR1"):  # Windows has none
    _NAMES[signal.SIGUSR1] = "SIGUSR1"
_OF_LIMIT = "STOP_AFTER"
_JOINING = "a machine that joins"
_REASONS = (_JOINING, *_NAMES.values(), _OF_LIMIT)
"""Where the processes have several, the last one counts: a stop ends the run, whoever joins."""
HOW_TO_GO_ON = "Go on with the same command and --resume."
REPEATED_SECONDS = 5.0
"""Seconds in which a process that others start and stop takes further signals for the same request: a scheduler
signals all processes of a job, and the launcher passes on to them what it was sent."""


def stopped_when(asked: str, joining: RegroupError) -> InterruptedRunError:
    """Return the stop of a run that somebody asked for while its processes stopped for a machine that joins."""
    return InterruptedRunError(f"stopped by {asked} when {joining} {HOW_TO_GO_ON}")


class StopRequest:
    """The request to stop, which a loop looks at after each step and the signal handlers set.

    Args:
        limit: when to stop without a signal.
        since: when the command began, by this machine's monotonic clock (seconds); now without it.

    Attributes:
        asked: the signal's name once a stop was asked for, else None.
        since: see above.
    """

    def __init__(self, limit: StopAfter | None = None, since: float | None = None) -> None:
        self.asked: str | None = None
        self.since = time.monotonic() if since is None else since
        self._limit = limit or StopAfter()
        self._processes = 1
        self._steps = 0
        self._first_step: int | None = None
        self._regroups = False
        self._heeded = False
        self._ended = False
        self._passes_on: Callable[[int], None] | None = None

    def limit_to(self, limit: StopAfter, since: float | None, steps: int = 0) -> None:
        """Set when to stop without a signal. A process learns it with its plan.

        Args:
            limit, since: see the arguments of this class.
            steps: that the command has trained in earlier processes.
        """
        self._limit, self._steps = limit, steps
        self.since = self.since if since is None else since

    def steps_before(self, step: int) -> int:
        """Return how many steps this command has trained when its processes begin, again, behind a step of the run."""
        if self._first_step is None:
            self._first_step = step
        return max(step - self._first_step, 0)

    def ask(self, number: int) -> bool:
        """Ask for a stop as the signal of this number does, from any thread.

        For processes that an engine starts, which calls them in another thread than that of signals.

        Returns:
            whether it is heeded: False where the run does not train yet or any more, and is to be ended at once.
        """
        if self.asked is None and self._heeded:
            self.asked = _NAMES[signal.Signals(number)]
        return self._heeded or self._ended

    def regroup(self) -> None:
        """Ask for a stop after which the run goes on in more processes, from any thread.

        It waits until training begins; what is asked for behind the last step is not done.
        """
        self._regroups = True

    @contextmanager
    def heeded(self, world: World) -> Iterator[None]:
        """Let a loop train that calls `stepped` after each step. Outside this block a signal ends the run at once.

        Args:
            world: the processes that agree: all must reach each call of this object alike.

        Raises:
            KeyboardInterrupt: a stop was asked for after the last step.
        """
        self._processes = world.size
        self._heeded = True
        try:
            yield
            self.agreed()
        finally:
            self._heeded = False
        if self.asked is not None:  # of this process alone, where it came while they agreed
            raise KeyboardInterrupt(self.asked)

    def stepped(self) -> bool:
        """Count an optimizer step, and return whether all processes stop now."""
        self._steps += 1
        if self.asked is None and self._is_over():
            self.asked = _OF_LIMIT
        return self.agreed()

    def agreed(self) -> bool:
        """Return whether a stop was asked for in any process; the answer is the same in all of them."""
        own = self.asked or (_JOINING if self._regroups else None)
        found = own if self._processes == 1 else _first_of_all(own)
        if found not in (None, _JOINING):  # else a signal may have come while they agreed: it counts the next time
            self.asked = found
        return found is not None

    def end(self, step: int) -> NoReturn:
        """End the run whose checkpoint of this step is written, when every process has come here.

        Raises:
            InterruptedRunError: always; a RegroupError where nothing but a machine that joins asked for it.
        """
        self._ended = True
        if self._processes > 1:
            from torch import distributed

            distributed.barrier()  # the first process to leave would end one that is still writing
        if self.asked is None:
            raise RegroupError(f"a machine joins at step {step}, whose checkpoint is written.")
        raise InterruptedRunError(
            f"stopped by {self.asked} at step {step}, whose checkpoint is written. {HOW_TO_GO_ON}"
        )

    def _is_over(self) -> bool:
        limit = self._limit
        return time.monotonic() - self.since >= limit.seconds or (
            limit.steps is not None and self._steps >= limit.steps
        )

    @contextmanager
    def passed_on(self, send: Callable[[int], None]) -> Iterator[None]:
        """Let other processes train, which a signal is passed on to.

        Args:
            send: sends the signal of this number to each of them.
        """
        self._passes_on = send
        try:
            yield
        finally:
            self._passes_on = None

    @contextmanager
    def on_signals(self, say: Callable[[str], None], *, repeated: float = 0.0) -> Iterator[None]:
        """Handle SIGINT, SIGTERM and SIGUSR1 while the block runs, in the main thread of the main interpreter.

        A signal that is ignored (a job of nohup) stays ignored.

        Args:
            say: shows one line of text.
            repeated: seconds in which further signals are the same request.
        """
        owner = os.getpid()
        first = 0.0

        def handle(number: int, frame: FrameType | None) -> None:
            nonlocal first
            if os.getpid() != owner or self._ended:
                return  # a data-loading process, forked with this handler: the run's own process decides
            name = _NAMES[signal.Signals(number)]
            if self.asked is not None and time.monotonic() - first < repeated:
                return
            if not (self._heeded or self._passes_on) or self.asked is not None:
                raise KeyboardInterrupt(name)
            self.asked, first = name, time.monotonic()
            # Whether the processes that it is passed on to train now, they alone know.
            untrained = "" if self._heeded else ", or at once where none trains yet or any more"
            told.put(f"{name}: stopping after this step with a checkpoint{untrained}. Once more ends at once.")
            if self._passes_on is not None:
                self._passes_on(number)

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


def _first_of_all(asked: str | None) -> str | None:
    """Return the reason that any process has, the same one in all of them."""
    import torch
    from torch import distributed

    # On the CPU, over gloo: no GPU waits for it.
    reason = torch.tensor([_REASONS.index(asked) + 1 if asked else 0])
    distributed.all_reduce(reason, distributed.ReduceOp.MAX)
    number = int(reason)
    return _REASONS[number - 1] if number else None


def _tell(lines: SimpleQueue[str | None], say: Callable[[str], None]) -> None:
    while (line := lines.get()) is not None:
        say(line)
