"""A fixed number of machines meet at one store of torch's, which one of them holds."""

from __future__ import annotations

import gc
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from torch.distributed import DistError, PrefixStore, Store, TCPStore  # type: ignore[attr-defined]
from torch.distributed.elastic.rendezvous.api import (
    RendezvousConnectionError,
    RendezvousParameters,
    RendezvousTimeoutError,
)
from torch.distributed.elastic.rendezvous.c10d_rendezvous_backend import create_backend
from torch.distributed.elastic.rendezvous.dynamic_rendezvous import (
    DynamicRendezvousHandler,
    RendezvousBackend,
    RendezvousTimeout,
)

from adapt_core.errors import InputError

from adapt_fsdp.network import is_local
from adapt_fsdp.params import ProcessParams

LOOPBACK = "127.0.0.1"


def store_on_loopback() -> TCPStore:
    """Return a store that only this machine reaches. TCPStore by itself listens on every interface."""
    listener = socket.create_server((LOOPBACK, 0))
    port = listener.getsockname()[1]
    return TCPStore(LOOPBACK, port, is_master=True, wait_for_workers=False, master_listen_fd=listener.detach())


def held_store(params: ProcessParams) -> TCPStore:
    """Return the store that machine 0 holds at main_process_port. It ends with the last reference to it.

    Raises:
        InputError: this machine cannot listen there.
    """
    gc.collect()  # the store of a round before, which an error may still refer to, has the port
    return _tcp_store(params, is_host=True)


def reached_store(params: ProcessParams) -> TCPStore:
    """Return the store of machine 0.

    Raises:
        InputError: machine 0 did not answer within `machine_timeout`.
    """
    return _tcp_store(params, is_host=False)


def _tcp_store(params: ProcessParams, *, is_host: bool) -> TCPStore:
    assert params.main_process_ip is not None
    limit = timedelta(seconds=params.machine_timeout)
    try:
        return TCPStore(
            params.main_process_ip, params.main_process_port, is_master=is_host, timeout=limit, wait_for_workers=False
        )
    except (DistError, RuntimeError, ValueError) as error:
        raise no_store(params, error, is_host=is_host) from error


@contextmanager
def static(params: ProcessParams) -> Iterator[Store]:
    """Join the machines at the store that machine 0 holds.

    Raises:
        InputError: a machine did not join in time, two have one rank, or the port is in use.
    """
    is_host = params.machine_rank == 0
    store = PrefixStore("adapt", held_store(params) if is_host else reached_store(params))
    _register(store, params)
    _wait_for_all(store, params)
    yield store


@contextmanager
def c10d(params: ProcessParams) -> Iterator[Store]:
    """Join the machines by torch's dynamic rendezvous, at the store of a machine with the address main_process_ip.

    Raises:
        InputError: as `static` does.
    """
    parameters = RendezvousParameters(
        backend="c10d",
        endpoint=endpoint(params),
        run_id="adapt",
        min_nodes=params.machines,
        max_nodes=params.machines,
        read_timeout=int(params.machine_timeout) or 1,
    )
    try:
        backend, server = _create_backend(parameters, params)
    except (RendezvousConnectionError, ValueError) as error:
        raise no_store(params, error, is_host=False) from error
    store = PrefixStore("adapt", server)
    _register(store, params)
    limits = RendezvousTimeout(join=timedelta(seconds=params.machine_timeout))
    # Only the end of torch's rendezvous is used. The address is this machine's label in it, which must differ from the
    # others' and be reachable from here.
    label = f"127.0.0.{params.machine_rank % 254 + 1}"
    handler = DynamicRendezvousHandler.from_backend(
        "adapt", server, backend, params.machines, params.machines, local_addr=label, timeout=limits
    )
    try:
        handler.next_rendezvous()
    except RendezvousTimeoutError as error:
        raise _absent(store, params) from error
    try:
        _wait_for_all(store, params)
        yield store
    finally:
        handler.shutdown()


def _create_backend(parameters: RendezvousParameters, params: ProcessParams) -> tuple[RendezvousBackend, Store]:
    """torch's backend and its store, held by a machine with the address main_process_ip: the first, if several have it.

    torch by itself only checks whether the address is that of the host name, which may be the loopback's.
    """
    assert params.main_process_ip is not None
    if not is_local(params.main_process_ip):
        return create_backend(parameters)
    parameters.config["is_host"] = True
    try:
        return create_backend(parameters)
    except RendezvousConnectionError:
        parameters.config["is_host"] = False
        return create_backend(parameters)


def _register(store: Store, params: ProcessParams) -> None:
    """Claim this machine's rank, once: users give ranks to machines."""
    key = f"machine {params.machine_rank}"
    if params.machine_rank >= params.machines:
        raise InputError(
            f"machine_rank is {params.machine_rank}, and the {params.machines} machines count from 0."
            " Give each machine its own number."
        )
    try:
        claims = store.add(f"{key} claims", 1)
        if claims == 1:
            store.set(key, socket.gethostname())
    except DistError as error:
        raise InputError(
            f"the run at {endpoint(params)} ended, or started without this machine: see machine 0's output."
        ) from error
    if claims > 1:
        raise two_with_one_rank(params.machine_rank)


def two_with_one_rank(number: int) -> InputError:
    """Return the error of a machine whose number another one has."""
    return InputError(f"two machines have machine_rank: {number}. Give each machine its own.")


def _wait_for_all(store: Store, params: ProcessParams) -> None:
    try:
        names = [f"machine {number}" for number in range(params.machines)]
        store.wait(names, timedelta(seconds=params.machine_timeout))
    except (DistError, RuntimeError) as error:
        raise _absent(store, params) from error


def _absent(store: Store, params: ProcessParams) -> InputError:
    ranks = [number for number in range(params.machines) if not store.check([f"machine {number}"])]
    named = ", ".join(f"machine {number}" for number in ranks)
    return InputError(
        f"{named} of {params.machines} did not join at {endpoint(params)} "
        f"within {params.machine_timeout:g} s. Start the same command there with machine_rank: {ranks[0]}, "
        "or raise machine_timeout."
    )


def no_store(params: ProcessParams, error: Exception | None, *, is_host: bool) -> InputError:
    """Return the error of a machine that cannot hold the store, or cannot reach it."""
    if is_host:
        assert error is not None
        return InputError(
            f"machine 0 cannot listen at {endpoint(params)}: {one_line(error)} "
            "Set another main_process_port, and main_process_ip to an address of this machine."
        )
    return InputError(
        f"machine 0 did not answer at {endpoint(params)} within {params.machine_timeout:g} s. "
        "Start the same command there with machine_rank: 0, and check that this machine can reach it."
    )


def endpoint(params: ProcessParams) -> str:
    """Return where the machines meet, as "address:port"."""
    return f"{params.main_process_ip}:{params.main_process_port}"


def one_line(error: Exception) -> str:
    """Return the beginning of an error's message, on one line."""
    return " ".join(str(error).split())[:200]
