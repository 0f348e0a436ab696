"""This machine's own network addresses."""

from __future__ import annotations

import socket

import psutil


def owns(host: str) -> bool:
    """Whether a host name or address is one of this machine's."""
    try:
        family, kind, _, _, place = socket.getaddrinfo(host, 0, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind) as probe:
            probe.bind(place)
    except OSError:
        return False
    return True


def interface_towards(host: str) -> str | None:
    """The network interface from which another machine is reached, or None where there is no way to it.

    gloo takes the one that this machine's host name stands for, which on many machines is the loopback.
    """
    try:
        family, kind, _, _, place = socket.getaddrinfo(host, 9, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind) as probe:
            probe.connect(place)  # Of a datagram socket: nothing is sent.
            own = probe.getsockname()[0]
    except OSError:
        return None
    name: str
    for name, addresses in psutil.net_if_addrs().items():
        if any(address.address == own for address in addresses):
            return name
    return None
