"""Machines meet: here they are threads of one process that meet at a loopback address."""

from __future__ import annotations

import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil
import pytest

from adapt_core.errors import DefectError, InputError

from adapt_fsdp.params import DdpParams


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number: int = free.getsockname()[1]
        return number


def machine(rank: int, port: int, backend: str = "static", **changes: Any) -> DdpParams:
    values: dict[str, Any] = {
        "num_machines": 2,
        "machine_rank": rank,
        "main_process_ip": "127.0.0.1",
        "main_process_port": port,
        "rdzv_backend": backend,
        "machine_timeout": 30,
    }
    return DdpParams(**{**values, **changes})


def together(*machines: DdpParams, act: Callable[[Any], Any]) -> list[Any]:
    """What `act` returned on each machine, or the error it raised."""
    from adapt_fsdp.rendezvous import rendezvous

    def one(params: DdpParams) -> Any:
        try:
            with rendezvous(params) as machines:
                return act(machines)
        except (InputError, DefectError) as error:
            return error

    with ThreadPoolExecutor(len(machines)) as pool:
        return list(pool.map(one, machines))


@pytest.mark.parametrize("backend", ["static", "c10d"])
def test_machines_meet_and_exchange_values(port: int, backend: str) -> None:
    heard = together(
        machine(0, port, backend),
        machine(1, port, backend),
        act=lambda machines: machines.all_gather("processes", machines.rank + 1, 30),
    )
    assert heard == [[1, 2], [1, 2]]


@pytest.mark.parametrize("backend", ["static", "c10d"])
def test_a_missing_machine_is_named(port: int, backend: str) -> None:
    [error] = together(machine(0, port, backend, machine_timeout=2), act=lambda _: None)
    assert isinstance(error, InputError)
    assert f"machine 1 of 2 did not join at 127.0.0.1:{port} within 2 s" in str(error)
    assert "machine_rank: 1" in str(error)


def test_a_machine_says_that_machine_0_does_not_answer(port: int) -> None:
    [error] = together(machine(1, port, machine_timeout=2), act=lambda _: None)
    assert isinstance(error, InputError)
    assert f"machine 0 did not answer at 127.0.0.1:{port} within 2 s" in str(error)


def test_a_port_in_use_is_named(port: int) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", port))
        holder.listen()
        [error] = together(machine(0, port, machine_timeout=2), act=lambda _: None)
    assert isinstance(error, InputError)
    assert f"cannot listen at 127.0.0.1:{port}" in str(error)


def test_a_failure_on_one_machine_reaches_the_other(port: int) -> None:
    def act(machines: Any) -> Any:
        if machines.rank == 1:
            raise InputError("row 3 is empty.")
        return machines.wait("result", 30)

    first, second = together(machine(0, port), machine(1, port), act=act)
    assert str(second) == "row 3 is empty."
    assert isinstance(first, InputError)
    assert str(first) == "machine 1: row 3 is empty."


def test_two_machines_with_one_rank_are_distinguished_from_a_late_one(port: int) -> None:
    errors = together(
        machine(0, port), machine(1, port), machine(1, port), act=lambda machines: machines.wait("nothing", 2)
    )
    assert any(isinstance(error, InputError) and "two machines have machine_rank: 1" in str(error) for error in errors)


def test_one_machine_listens_on_the_loopback_alone() -> None:
    from adapt_fsdp.rendezvous import rendezvous

    with rendezvous(DdpParams()) as machines:
        machines.set("a value", 1)
        assert machines.wait("a value", 5) == 1
        listening = [c.laddr for c in psutil.Process().net_connections("tcp") if c.status == psutil.CONN_LISTEN]
        assert {address.ip for address in listening if address.port == machines.port} == {"127.0.0.1"}
