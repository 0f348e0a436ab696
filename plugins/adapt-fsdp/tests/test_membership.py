"""Machines that leave and join: here they are threads of one process that meet at a loopback address."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import attrs
import pytest

from adapt_core.errors import InputError, InterruptedRunError, LostProcessError, RegroupError
from adapt_core.result import RunResult
from adapt_core.run_folder.paths import RunFolder

from .test_rendezvous import machine, port
from adapt_fsdp.params import DdpParams

__all__ = ["port"]

Act = Callable[[Any], Any]


def finished_result() -> RunResult:
    """Of a run that trained 3 steps."""
    empty: dict[str, Any] = {
        field.name: {} if "Mapping" in str(field.type) else "x" if field.type == "str" else 0
        for field in attrs.fields(RunResult)
        if field.name not in ("warnings", "verdict")
    }
    known = {"status": "finished", "launcher": "ddp", "steps": 3, "training_check": {"verdict": "learned", "steps": 0}}
    return RunResult(**{**empty, **known, **dict.fromkeys(("quantization", "merge", "soup"))})


class Commands:
    """The machines' commands, each in a thread of its own."""

    def __init__(self, port: int, folder: Path, pool: ThreadPoolExecutor) -> None:
        self._port, self._folder, self._pool = port, folder, pool

    def start(self, rank: int, act: Act, sizes: tuple[int, ...] = (1, 2), **changes: Any) -> Future[Any]:
        """Join as a machine of sizes[0] to sizes[-1], and act as a member."""
        changes = {"num_machines": (sizes[0], sizes[-1]), "machine_wait": 0.5, **changes}
        return self._pool.submit(self._run, machine(rank, self._port, **changes), sizes, act)

    def _run(self, params: DdpParams, sizes: tuple[int, ...], act: Act) -> Any:
        from adapt_fsdp.rendezvous import rendezvous

        with rendezvous(params, sizes, RunFolder(str(self._folder))) as machines:
            return act(machines)


@pytest.fixture
def commands(port: int, tmp_path: Path) -> Iterator[Commands]:
    with ThreadPoolExecutor() as pool:
        yield Commands(port, tmp_path, pool)


def place(machines: Any) -> tuple[int, int]:
    machines.all_gather("place", machines.rank, 30)
    return machines.rank, machines.size


def until(event: Callable[[], bool], machines: Any) -> None:
    """Attend to the others, as a command does while its processes train."""
    end = time.monotonic() + 30
    while not event():
        assert time.monotonic() < end
        machines.raise_failure()
        time.sleep(0.05)


def one_after_the_other(commands: Commands, lead: Act, follow: Act, **changes: Any) -> tuple[Future[Any], Future[Any]]:
    """Machine 0, which begins alone, and machine 1."""
    begun = threading.Event()

    def begin(machines: Any) -> Any:
        begun.set()
        return lead(machines)

    first = commands.start(0, begin)
    assert begun.wait(30)
    return first, commands.start(1, follow, **changes)


def test_a_run_starts_at_once_when_the_most_are_there(commands: Commands) -> None:
    found = [commands.start(rank, place, (1, 2, 3), machine_wait=1000) for rank in range(3)]
    assert [one.result(30) for one in found] == [(0, 3), (1, 3), (2, 3)]


def test_the_least_start_after_a_while(commands: Commands) -> None:
    assert commands.start(0, place).result(30) == (0, 1)


def test_ranks_are_in_the_order_of_machines_without_gaps(commands: Commands) -> None:
    found = [commands.start(rank, place, (2, 3)) for rank in (0, 2)]
    assert [one.result(30) for one in found] == [(0, 2), (1, 2)]


def test_as_many_take_part_as_share_a_step_evenly(commands: Commands) -> None:
    """4 batches are shared by 2 machines, and not by 3: the third waits for the fourth, or for the end."""
    ends = threading.Event()

    def lead(machines: Any) -> Any:
        until(ends.is_set, machines)
        machines.set("result", finished_result().to_json())
        return place(machines)

    first = commands.start(0, lead, (2, 4), machine_wait=3)
    second, third = (commands.start(rank, place, (2, 4)) for rank in (1, 2))
    time.sleep(5)
    assert not third.done()
    ends.set()
    assert (first.result(30), second.result(30)) == ((0, 2), (1, 2))
    with pytest.raises(Exception, match="ended before this machine joined it"):
        third.result(30)


def test_too_few_machines_are_told(commands: Commands) -> None:
    with pytest.raises(InputError, match=r"1 of at least 2 machines joined at .* within 1 s"):
        commands.start(0, place, (2, 3), machine_timeout=1).result(30)


def test_machine_0_asks_for_another_round_when_a_machine_waits(commands: Commands) -> None:
    def lead(machines: Any) -> None:
        until(machines.grows, machines)
        assert not machines.grows()  # it is told once
        raise RegroupError("a machine joins at step 3")

    first, second = one_after_the_other(commands, lead, place)
    with pytest.raises(RegroupError):
        first.result(60)
    assert not second.done()
    again = commands.start(0, place, machine_wait=1000)
    assert (again.result(30), second.result(30)) == ((0, 2), (1, 2))


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        (RegroupError("on"), None),
        (
            InterruptedRunError("stopped by SIGTERM at step 3"),
            (InterruptedRunError, "was stopped before this machine joined it"),
        ),
        (InputError("row 3 is empty."), (InputError, "failed before this machine joined it")),
    ],
)
def test_a_machine_that_waits_hears_how_the_round_ended(
    commands: Commands, outcome: Exception, told: tuple[type[Exception], str] | None
) -> None:
    def lead(machines: Any) -> None:
        until(machines.grows, machines)
        raise outcome

    first, second = one_after_the_other(commands, lead, place, machine_timeout=6)
    with pytest.raises(type(outcome)):
        first.result(60)
    expected, message = told or (InputError, "machine 0 did not answer")
    with pytest.raises(expected, match=message):
        second.result(60)


def test_a_machine_that_comes_at_the_end_has_the_result_of_the_run(commands: Commands) -> None:
    from adapt_fsdp.membership import RunEndedError

    def lead(machines: Any) -> None:
        until(machines.grows, machines)
        machines.set("result", finished_result().to_json())

    first, second = one_after_the_other(commands, lead, place)
    first.result(60)
    with pytest.raises(RunEndedError) as ended:
        second.result(60)
    assert ended.value.result == RunResult.from_json(finished_result().to_json())


def test_two_machines_with_one_number_are_refused(commands: Commands) -> None:
    ends = threading.Event()
    first = commands.start(0, lambda machines: until(ends.is_set, machines), machine_wait=1000)
    found = [commands.start(1, lambda machines: until(ends.is_set, machines)) for _ in range(2)]
    while not (refused := [one for one in found if one.done()]):
        time.sleep(0.1)
    with pytest.raises(InputError, match="two machines have machine_rank: 1"):
        refused[0].result(1)
    ends.set()
    first.result(60)


def test_the_number_of_a_machine_that_is_gone_is_free(
    commands: Commands,
    port: int,
) -> None:
    """It claimed its number and was killed before anything began."""
    from torch.distributed import PrefixStore, TCPStore

    first = commands.start(0, place, (2, 3), machine_wait=8)
    PrefixStore("adapt", TCPStore("127.0.0.1", port, is_master=False)).set("machine 1", "of a command that was killed")
    second = commands.start(1, place, (2, 3))
    assert (first.result(60), second.result(60)) == ((0, 2), (1, 2))


def test_a_member_that_was_started_again_is_lost(commands: Commands) -> None:
    begun, killed = threading.Event(), threading.Event()

    def silent(machines: Any) -> None:
        begun.set()
        killed.wait(60)

    first = commands.start(0, lambda machines: until(lambda: False, machines), machine_wait=1000)
    commands.start(1, silent)
    assert begun.wait(30)
    back = commands.start(1, place, machine_timeout=2)
    with pytest.raises(LostProcessError, match="machine 1 was started again"):
        first.result(60)
    killed.set()
    with pytest.raises(InputError, match="machine 0 did not answer"):
        back.result(60)


def test_a_member_without_a_sign_of_life_is_lost(commands: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    from adapt_fsdp import membership

    monkeypatch.setattr(membership, "_LOST", 2.0)
    gone = threading.Event()
    first = commands.start(0, lambda machines: until(lambda: False, machines), machine_wait=1000)
    commands.start(1, lambda machines: gone.wait(60))
    with pytest.raises(LostProcessError, match="machine 1 has given no sign of life for 2 s"):
        first.result(60)
    gone.set()
