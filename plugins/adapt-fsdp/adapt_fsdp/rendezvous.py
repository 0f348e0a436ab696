"""The machines of a run meet at one store of torch's, through which their `adapt` commands exchange values."""

from __future__ import annotations

import json
import logging
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

import attrs
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

from adapt_core.errors import DefectError, InputError, InterruptedRunError, LostProcessError

from adapt_fsdp.failures import as_told
from adapt_fsdp.network import is_local
from adapt_fsdp.params import ProcessParams

log = logging.getLogger(__name__)

_LOOPBACK = "127.0.0.1"
_FAILURE = "failure"
_KINDS = (InputError, InterruptedRunError, LostProcessError, DefectError)
_CLOSE_TIMEOUT = 30.0
_POLL_INTERVAL = 0.1
"""Seconds."""


@attrs.frozen
class Rendezvous:
    """The machines of a run, joined by one store of torch's.

    Attributes:
        store: what their commands write to and read from.
        host, port: where the workers find the same store.
        rank: this machine's rank.
        size: the number of machines.
    """

    store: Store
    host: str
    port: int
    rank: int = 0
    size: int = 1

    def set(self, key: str, value: object) -> None:
        """Set a JSON value for the other machines; the first value of a key is kept."""
        if not self.has(key):
            self.store.set(key, json.dumps(value))

    def has(self, key: str) -> bool:
        """Whether a key was set.

        Raises:
            DefectError: the machine that holds the store is gone.
        """
        try:
            return bool(self.store.check([key]))
        except (DistError, RuntimeError) as error:
            raise LostProcessError(
                f"the machine that holds {self.host}:{self.port} left the run: {_one_line(error)}"
            ) from error

    def wait(self, key: str, seconds: float) -> Any:
        """Wait for a key and return its value.

        Raises:
            InputError: it was not set in time.
            AdaptError: another machine reported a failure meanwhile.
        """
        end = time.monotonic() + seconds
        while not self.has(key):
            self.raise_failure()
            if time.monotonic() > end:
                raise InputError(
                    f"no other machine sent {key} within {seconds:g} s."
                    " Start adapt run on each machine with the same main_process_ip, and check their network."
                )
            time.sleep(_POLL_INTERVAL)
        return json.loads(self.store.get(key))

    def all_gather(self, key: str, value: object, seconds: float) -> list[Any]:
        """Return the values that all machines set for a key, by machine rank."""
        self.set(f"{key} of machine {self.rank}", value)
        return [self.wait(f"{key} of machine {number}", seconds) for number in range(self.size)]

    def set_failure(self, error: BaseException) -> None:
        """Report what failed here to the other machines; the first failure is kept."""
        told = as_told(error)
        kind = next((kind for kind in _KINDS if isinstance(told, kind)), DefectError)
        self.set(_FAILURE, {"machine": self.rank, "kind": kind.__name__, "message": str(told)})

    def failed_elsewhere(self) -> bool:
        """Whether another machine reported a failure."""
        return self.size > 1 and self.has(_FAILURE)

    def raise_failure(self) -> None:
        """Raise the failure that a machine reported, if one did.

        Raises:
            AdaptError: that failure.
        """
        if self.failed_elsewhere():
            failure = json.loads(self.store.get(_FAILURE))
            kind = next(kind for kind in _KINDS if kind.__name__ == failure["kind"])
            raise kind(f"machine {failure['machine']}: {failure['message']}")

    def close(self) -> None:
        """Leave the rendezvous once every machine leaves: the store ends with the machine that holds it."""
        if self.size == 1:
            return
        with suppress(DefectError):  # The store is gone: its holder saw all machines leave.
            self.set(f"machine {self.rank} leaves", True)
            end = time.monotonic() + _CLOSE_TIMEOUT
            for number in range(self.size):
                while not self.has(f"machine {number} leaves") and time.monotonic() < end:
                    time.sleep(_POLL_INTERVAL)


@contextmanager
def rendezvous(params: ProcessParams) -> Iterator[Rendezvous]:
    """Join the machines of a run.

    Raises:
        InputError: a machine did not join within `machine_timeout`, two have one rank, or the port is in use.
    """
    if params.machines == 1:
        own = _store_on_loopback()
        yield Rendezvous(own, _LOOPBACK, own.port)
        return
    assert params.main_process_ip is not None
    log.info("machine %d of %d: joining at %s", params.machine_rank, params.machines, _endpoint(params))
    join = _static if params.rdzv_backend == "static" else _c10d
    with join(params) as store:
        machines = Rendezvous(
            store, params.main_process_ip, params.main_process_port, params.machine_rank, params.machines
        )
        try:
            yield machines
        except InterruptedRunError:  # With a checkpoint, as on every other machine.
            raise
        except BaseException as error:
            with suppress(DefectError):  # Without the store no machine can be reached.
                machines.set_failure(error)
            raise
        finally:
            machines.close()


def _store_on_loopback() -> TCPStore:
    """Return a store that only this machine reaches. TCPStore by itself listens on every interface."""
    listener = socket.create_server((_LOOPBACK, 0))
    port = listener.getsockname()[1]
    return TCPStore(_LOOPBACK, port, is_master=True, wait_for_workers=False, master_listen_fd=listener.detach())


@contextmanager
def _static(params: ProcessParams) -> Iterator[Store]:
    limit = timedelta(seconds=params.machine_timeout)
    is_host = params.machine_rank == 0
    assert params.main_process_ip is not None
    try:
        server = TCPStore(
            params.main_process_ip, params.main_process_port, is_master=is_host, timeout=limit, wait_for_workers=False
        )
    except (DistError, RuntimeError, ValueError) as error:
        raise _no_store(params, error, is_host=is_host) from error
    store = PrefixStore("adapt", server)
    _register(store, params)
    _wait_for_all(store, params)
    yield store


@contextmanager
def _c10d(params: ProcessParams) -> Iterator[Store]:
    parameters = RendezvousParameters(
        backend="c10d",
        endpoint=_endpoint(params),
        run_id="adapt",
        min_nodes=params.machines,
        max_nodes=params.machines,
        read_timeout=int(params.machine_timeout) or 1,
    )
    try:
        backend, server = _create_backend(parameters, params)
    except (RendezvousConnectionError, ValueError) as error:
        raise _no_store(params, error, is_host=False) from error
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
            f"the run at {_endpoint(params)} ended, or started without this machine: see machine 0's output."
        ) from error
    if claims > 1:
        raise InputError(f"two machines have machine_rank: {params.machine_rank}. Give each machine its own.")


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
        f"{named} of {params.machines} did not join at {_endpoint(params)} "
        f"within {params.machine_timeout:g} s. Start the same command there with machine_rank: {ranks[0]}, "
        "or raise machine_timeout."
    )


def _no_store(params: ProcessParams, error: Exception, *, is_host: bool) -> InputError:
    if is_host:
        return InputError(
            f"machine 0 cannot listen at {_endpoint(params)}: {_one_line(error)} "
            "Set another main_process_port, and main_process_ip to an address of this machine."
        )
    return InputError(
        f"machine 0 did not answer at {_endpoint(params)} within {params.machine_timeout:g} s. "
        "Start the same command there with machine_rank: 0, and check that this machine can reach it."
    )


def _endpoint(params: ProcessParams) -> str:
    return f"{params.main_process_ip}:{params.main_process_port}"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
