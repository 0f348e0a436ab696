"""What workers and driver tell each other, through an actor of Ray's.

Events are JSON-ready mappings: {"rank": 0, "begun": PID, "host": NAME}, {"rank": 0, "report": LINE},
{"show": METHOD, "arguments": [...]} for the reporter of the command, {"unheeded": SIGNAL}.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

Event = dict[str, Any]

_SECONDS_BETWEEN_STEPS = 0.1
"""A bar needs no more, and a message takes time of training."""


class Channel:
    """The actor: events to the driver, and the stop that was asked for to the workers."""

    def __init__(self) -> None:
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._asked: asyncio.Future[int] | None = None

    async def put(self, event: Event) -> None:
        """Tell the driver."""
        await self._events.put(event)

    async def take(self) -> list[Event]:
        """Wait for events and return them in their order."""
        events = [await self._events.get()]
        while not self._events.empty():
            events.append(self._events.get_nowait())
        return events

    async def ask(self, number: int) -> None:
        """Ask all workers for the stop that the signal of this number means."""
        future = self._future()
        if not future.done():
            future.set_result(number)

    async def asked(self) -> int:
        """Wait until a stop is asked for, and return the signal's number."""
        return await asyncio.shield(self._future())

    def _future(self) -> asyncio.Future[int]:
        if self._asked is None:
            self._asked = asyncio.get_running_loop().create_future()
        return self._asked


class RelayedReporter:
    """A `ProgressReporter` whose messages and progress the command shows that started the run.

    Args:
        send: sends an event.
    """

    def __init__(self, send: Callable[[Event], None]) -> None:
        self._send = send
        self._total = 0
        self._sent = 0.0

    def message(self, text: str) -> None:
        """Show one line of text."""
        self._show("message", text)

    def start(self, label: str, total: int, done: int = 0) -> None:
        """Start a phase of `total` steps, `done` of which are done."""
        self._total = total
        self._show("start", label, total, done)

    def expect(self, total: int) -> None:
        """Set the steps of the phase anew (BUDGET)."""
        self._total = total
        self._show("expect", total)

    def update(self, step: int, figures: dict[str, float], examples_per_second: float) -> None:
        """Report that step `step` of the phase is done."""
        now = time.monotonic()
        if now - self._sent >= _SECONDS_BETWEEN_STEPS or step >= self._total:
            self._sent = now
            self._show("update", step, figures, examples_per_second)

    def close(self) -> None:
        """Close the phase."""
        self._show("close")

    def _show(self, method: str, *arguments: object) -> None:
        self._send({"show": method, "arguments": list(arguments)})
