"""The process group of a run's workers.

Ray's own (`TorchConfig`) meets at a store of torch's that listens on every interface of the machine. This one listens
at the address alone by which Ray knows the machine: the loopback for a Ray on this machine.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from adapt_core.distributed.world import World


@contextmanager
def process_group(world: World, seconds: float) -> Iterator[None]:
    """Create the default process group: gloo and nccl with GPUs, gloo on the CPU.

    Args:
        world: this process's place.
        seconds: time limit of a collective operation.
    """
    import torch
    from ray.train.collective import broadcast_from_rank_zero
    from ray.util import get_node_ip_address
    from torch import distributed
    from torch.distributed import TCPStore  # type: ignore[attr-defined]

    on_gpu = world.device.startswith("cuda")
    if on_gpu:
        torch.cuda.set_device(world.device)
    own = get_node_ip_address()
    interface = _interface_of(own)
    if interface is not None:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", interface)
    limit = timedelta(seconds=seconds)
    held = None
    address = None
    if world.is_main:
        family = socket.AF_INET6 if ":" in own else socket.AF_INET
        listener = socket.create_server((own, 0), family=family)
        port = listener.getsockname()[1]
        held = TCPStore(
            own, port, is_master=True, wait_for_workers=False, timeout=limit, master_listen_fd=listener.detach()
        )
        address = (own, port)
    host, port = broadcast_from_rank_zero(address)
    os.environ.update({"MASTER_ADDR": host, "MASTER_PORT": str(port)})
    store = held or TCPStore(host, port, is_master=False, wait_for_workers=False, timeout=limit)
    distributed.init_process_group(
        "cpu:gloo,cuda:nccl" if on_gpu else "gloo",
        store=store,
        rank=world.rank,
        world_size=world.size,
        timeout=limit,
        device_id=torch.device(world.device) if on_gpu else None,
    )
    yield
    # Not in a finally: a process that failed reports at once, and the command ends the others.
    distributed.destroy_process_group()


def _interface_of(address: str) -> str | None:
    """Return the network interface of this machine that has an address, or None.

    gloo by itself takes that of the machine's host name.
    """
    import psutil

    for name, addresses in psutil.net_if_addrs().items():
        if any(entry.address == address for entry in addresses):
            return str(name)
    return None
