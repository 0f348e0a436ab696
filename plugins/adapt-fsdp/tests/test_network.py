"""Addresses and interfaces of this machine."""

from __future__ import annotations

import socket

from adapt_fsdp.network import interface_towards, is_local


def test_addresses_of_this_machine_are_distinguished_from_others() -> None:
    assert is_local("127.0.0.1")
    assert not is_local("192.0.2.1")  # set aside for documentation: nobody has it
    assert not is_local("no-such-host.invalid")
    assert interface_towards("127.0.0.1") in [name for _, name in socket.if_nameindex()]
    assert interface_towards("no-such-host.invalid") is None
