"""What is done with a signal before any loop looks at it."""

from __future__ import annotations

import io
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from adapt_core.config.stop_after import StopAfter
from adapt_core.distributed.world import World
from adapt_core.errors import InterruptedRunError, RegroupError
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


@contextmanager
def trained(stop: StopRequest) -> Iterator[None]:
    """A loop that trains while the block runs, and ends at step 43 when it is asked to."""
    with stop.heeded(World()):
        yield
        if stop.agreed():
            stop.end(43)


def test_a_signal_that_breaks_into_a_line_is_told_behind_it() -> None:
    raw = BreaksIn()
    reporter = PlainReporter(io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8"))
    stop = StopRequest()
    with pytest.raises(InterruptedRunError, match="SIGTERM"), stop.on_signals(reporter.message), trained(stop):
        reporter.message("step 4")
    assert raw.written.decode().splitlines() == [
        "step 4",
        "SIGTERM: stopping after this step with a checkpoint. Once more ends at once.",
    ]


def test_a_signal_that_is_passed_on_promises_no_checkpoint_of_what_may_not_train_yet() -> None:
    stop, said = StopRequest(), list[str]()
    with stop.on_signals(said.append), stop.passed_on(lambda number: None):
        signalled(signal.SIGTERM)
    assert said == [
        "SIGTERM: stopping after this step with a checkpoint, or at once where none trains yet or any more. "
        "Once more ends at once."
    ]


@pytest.mark.parametrize("last", [False, True], ids=["between steps", "after the last step"])
def test_a_signal_that_comes_while_processes_agree_is_not_lost(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, last: bool
) -> None:
    from torch import distributed

    reduce = distributed.all_reduce
    stop, signals = StopRequest(), [signal.SIGTERM]

    def interrupted(*given: object) -> None:
        reduce(*given)
        signalled(*signals)
        signals.clear()

    distributed.init_process_group("gloo", init_method=f"file://{tmp_path / 'store'}", rank=0, world_size=1)
    monkeypatch.setattr(distributed, "all_reduce", interrupted)
    try:
        ends = pytest.raises(KeyboardInterrupt, match="SIGTERM")
        with ends, stop.on_signals(lambda line: None), stop.heeded(World(size=2)):
            # The other processes know nothing of it at the first step.
            assert last or [stop.stepped(), stop.stepped()] == [False, True]
    finally:
        distributed.destroy_process_group()


def signalled(*numbers: signal.Signals) -> None:
    for number in numbers:
        os.kill(os.getpid(), number)


def test_a_second_signal_ends_at_once() -> None:
    stop = StopRequest()
    with pytest.raises(KeyboardInterrupt, match="SIGTERM"), stop.on_signals(lambda line: None), stop.heeded(World()):
        signalled(signal.SIGINT, signal.SIGTERM)


def test_a_process_that_others_signal_takes_signals_in_a_row_for_one_request() -> None:
    stop = StopRequest()
    heard = stop.on_signals(lambda line: None, repeated=60)
    with pytest.raises(InterruptedRunError, match="SIGUSR1 at step 43"), heard, trained(stop):
        signalled(signal.SIGUSR1, signal.SIGTERM)


def test_a_stop_that_comes_after_the_last_step_ends_the_run() -> None:
    stop = StopRequest()
    with pytest.raises(KeyboardInterrupt, match="SIGTERM"), stop.on_signals(lambda line: None), stop.heeded(World()):
        os.kill(os.getpid(), signal.SIGTERM)


def test_steps_of_this_command_are_counted() -> None:
    stop = StopRequest(StopAfter(steps=3))
    with pytest.raises(InterruptedRunError, match="stopped by STOP_AFTER at step 43"), trained(stop):
        assert [stop.stepped(), stop.stepped(), stop.stepped()] == [False, False, True]


def test_time_counts_from_the_start_of_the_command() -> None:
    stop = StopRequest(StopAfter(seconds=3600), since=time.monotonic() - 3601)
    with pytest.raises(InterruptedRunError, match="STOP_AFTER"), trained(stop):
        assert stop.stepped()


def test_a_signal_is_passed_on_to_other_processes_once() -> None:
    stop, sent = StopRequest(), []
    with stop.on_signals(lambda line: None), stop.passed_on(sent.append):
        os.kill(os.getpid(), signal.SIGUSR1)
        assert sent == [signal.SIGUSR1]
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
    assert sent == [signal.SIGUSR1]


def asked_elsewhere(request: StopRequest, number: signal.Signals) -> bool:
    """What another thread is told that asks."""
    answers: list[bool] = []
    asking = threading.Thread(target=lambda: answers.append(request.ask(number)))
    asking.start()
    asking.join()
    return answers[0]


def test_a_stop_is_asked_for_from_another_thread_where_a_loop_heeds_it() -> None:
    stop = StopRequest()
    assert not asked_elsewhere(stop, signal.SIGTERM)
    with pytest.raises(InterruptedRunError, match="SIGTERM at step 43"), trained(stop):
        assert asked_elsewhere(stop, signal.SIGTERM)
    assert asked_elsewhere(stop, signal.SIGINT)  # it has ended with a checkpoint: nothing is to be ended at once


def test_a_machine_that_joins_asks_for_a_checkpoint_before_training_or_in_it() -> None:
    stop = StopRequest()
    stop.regroup()
    with pytest.raises(RegroupError, match="a machine joins at step 43, whose checkpoint is written"), trained(stop):
        assert stop.stepped()
    assert stop.asked is None  # a signal that comes now is the first one


def test_a_stop_ends_the_run_whoever_joins() -> None:
    stop = StopRequest()
    stop.regroup()
    with pytest.raises(InterruptedRunError, match="stopped by SIGTERM at step 43") as ended, trained(stop):
        assert asked_elsewhere(stop, signal.SIGTERM)
    assert not isinstance(ended.value, RegroupError)


def test_behind_the_last_step_no_machine_joins() -> None:
    stop = StopRequest()
    with stop.heeded(World()):
        stop.regroup()


def test_steps_of_earlier_processes_of_the_command_count() -> None:
    command = StopRequest()
    assert [command.steps_before(step) for step in (40, 48, 52)] == [0, 8, 12]
    stop = StopRequest()
    stop.limit_to(StopAfter(steps=10), None, steps=8)
    with pytest.raises(InterruptedRunError, match="stopped by STOP_AFTER"), trained(stop):
        assert [stop.stepped(), stop.stepped()] == [False, True]
