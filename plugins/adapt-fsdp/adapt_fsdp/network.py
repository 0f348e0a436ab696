"""Addresses and interfaces of this machine."""

from __future__ import annotations

import socket

import psutil


def is_local(host: str) -> bool:
    """Whether a host name or address is one of this machine's."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, 0, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind) as probe:
            probe.bind(address)
    except OSError:
        return False
    return True


def interface_towards(host: str) -> str | None:
    """Return the network interface that leads to another machine, or None where there is no route to it.

    gloo by itself takes the interface of this machine's host name, which on many machines is the loopback.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, 9, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind) as probe:
            probe.connect(address)  # Of a datagram socket: nothing is sent.
            own = probe.getsockname()[0]
    except OSError:
        return None
    name: str
    for name, addresses in psutil.net_if_addrs().items():
        if any(entry.address == own for entry in addresses):
            return name
    return None
