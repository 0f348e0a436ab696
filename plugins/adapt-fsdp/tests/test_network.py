"""Addresses and interfaces of this machine."""

from __future__ import annotations

import socket

import psutil
import pytest

from adapt_core.distributed.world import World

from adapt_fsdp.network import interface_towards, is_local


def test_addresses_of_this_machine_are_distinguished_from_others() -> None:
    assert is_local("127.0.0.1")
    assert not is_local("192.0.2.1")  # set aside for documentation: nobody has it
    assert not is_local("no-such-host.invalid")
    assert interface_towards("127.0.0.1") in [name for _, name in socket.if_nameindex()]
    assert interface_towards("no-such-host.invalid") is None


def test_processes_of_one_machine_talk_over_the_loopback_and_import_from_no_working_directory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from adapt_fsdp.launch import _environment
    from adapt_fsdp.params import DdpParams
    from adapt_fsdp.rendezvous import rendezvous

    for name in ("GLOO_SOCKET_IFNAME", "PYTHONSAFEPATH"):
        monkeypatch.delenv(name, raising=False)
    with rendezvous(DdpParams()) as machines:
        environment = _environment(World(size=2), 2, machines)
    addresses = psutil.net_if_addrs()[environment["GLOO_SOCKET_IFNAME"]]
    assert "127.0.0.1" in {entry.address for entry in addresses}
    assert (environment["MASTER_ADDR"], environment["PYTHONSAFEPATH"]) == ("127.0.0.1", "1")
