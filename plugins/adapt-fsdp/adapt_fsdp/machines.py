"""How the machines of a run meet, and what their `adapt` commands tell each other: through one store of torch's."""

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

from adapt_core.errors import AdaptError, DefectError, InputError

from adapt_fsdp.addresses import owns
from adapt_fsdp.params import ProcessParams

log = logging.getLogger(__name__)

_HERE = "127.0.0.1"
_FAILURE = "failure"
_SECONDS_TO_LEAVE = 30.0


@attrs.frozen
class Meeting:
    """The machines of a run, met.

    Attributes:
        store: what their commands write to and read from.
        host, port: where the workers find the same store.
        machine: this machine's rank.
        machines: how many there are.
    """

    store: Store
    host: str
    port: int
    machine: int = 0
    machines: int = 1

    def tell(self, name: str, value: Any) -> None:
        """Leaves a JSON value for the other machines; the first one of a name stands."""
        if not self.known(name):
            self.store.set(name, json.dumps(value))

    def known(self, name: str) -> bool:
        """Whether a value of that name was left.

        Raises:
            DefectError: the machine that holds the store is gone.
        """
        try:
            return bool(self.store.check([name]))
        except (DistError, RuntimeError) as error:
            raise DefectError(
                f"the machine that holds {self.host}:{self.port} left the run: {' '.join(str(error).split())[:200]}"
            ) from error

    def hear(self, name: str, seconds: float) -> Any:
        """The value that a machine left under a name, waited for.

        Raises:
            InputError: it did not come in time.
            AdaptError: another machine told of a failure meanwhile.
        """
        end = time.monotonic() + seconds
        while not self.known(name):
            self.raise_failure()
            if time.monotonic() > end:
                raise InputError(f"{name} did not come from another machine within {seconds:g} s.")
            time.sleep(0.1)
        return json.loads(self.store.get(name))

    def failed_elsewhere(self) -> bool:
        """Whether another machine told of a failure."""
        return self.machines > 1 and self.known(_FAILURE)

    def raise_failure(self) -> None:
        """Raises the failure that a machine told of, if one did.

        Raises:
            AdaptError: it.
        """
        if self.failed_elsewhere():
            told = json.loads(self.store.get(_FAILURE))
            kind = InputError if told["by_input"] else DefectError
            raise kind(f"machine {told['machine']}: {told['message']}")

    def tell_failure(self, error: BaseException) -> None:
        """Leaves what went wrong here for the other machines; the first failure stands."""
        message = str(error) if isinstance(error, AdaptError) else f"{type(error).__name__} {error}".strip()
        by_input = isinstance(error, InputError)
        self.tell(_FAILURE, {"machine": self.machine, "by_input": by_input, "message": message})

    def all_of(self, name: str, own: Any, seconds: float) -> list[Any]:
        """What each machine left under a name, this one's included, by machine rank."""
        self.tell(f"{name} of machine {self.machine}", own)
        return [self.hear(f"{name} of machine {number}", seconds) for number in range(self.machines)]

    def part(self) -> None:
        """Ends the meeting: nobody leaves, and takes the store away, before all have what they need of it."""
        if self.machines == 1:
            return
        with suppress(DefectError):  # The store is gone: then its holder saw that everybody had parted.
            self.tell(f"parting of machine {self.machine}", True)
            end = time.monotonic() + _SECONDS_TO_LEAVE
            for number in range(self.machines):
                while not self.known(f"parting of machine {number}") and time.monotonic() < end:
                    time.sleep(0.1)


@contextmanager
def met(params: ProcessParams) -> Iterator[Meeting]:
    """The meeting of a run's machines.

    Raises:
        InputError: a machine did not come within `machine_timeout`, two have one rank, or the port is in use.
    """
    if params.machines == 1:
        own = TCPStore(_HERE, 0, is_master=True, wait_for_workers=False)
        yield Meeting(own, _HERE, own.port)
        return
    assert params.main_process_ip is not None
    place = f"{params.main_process_ip}:{params.main_process_port}"
    log.info("machine %d of %d: meeting at %s", params.machine_rank, params.machines, place)
    gather = _static if params.rdzv_backend == "static" else _c10d
    with gather(params) as store:
        meeting = Meeting(store, params.main_process_ip, params.main_process_port, params.machine_rank, params.machines)
        try:
            yield meeting
        except BaseException as error:
            with suppress(DefectError):  # Without the store there is nobody to tell.
                meeting.tell_failure(error)
            raise
        finally:
            meeting.part()


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
        raise _no_store(params, is_host, error) from error
    store = PrefixStore("adapt", server)
    _sign(store, params)
    _wait_for_all(store, params)
    yield store


@contextmanager
def _c10d(params: ProcessParams) -> Iterator[Store]:
    parameters = RendezvousParameters(
        backend="c10d",
        endpoint=f"{params.main_process_ip}:{params.main_process_port}",
        run_id="adapt",
        min_nodes=params.machines,
        max_nodes=params.machines,
        read_timeout=int(params.machine_timeout) or 1,
    )
    try:
        backend, server = _rendezvous(parameters, params)
    except (RendezvousConnectionError, ValueError) as error:
        raise _no_store(params, False, error) from error
    store = PrefixStore("adapt", server)
    _sign(store, params)
    limits = RendezvousTimeout(join=timedelta(seconds=params.machine_timeout))
    # Of torch's meeting only its end matters. The address is this machine's label in it, which must differ from the
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


def _rendezvous(parameters: RendezvousParameters, params: ProcessParams) -> tuple[RendezvousBackend, Store]:
    """torch's backend and its store, which a machine that owns main_process_ip holds: the first, where several do.

    torch by itself sees only whether the address is that of the host name, which may be the loopback's.
    """
    assert params.main_process_ip is not None
    if not owns(params.main_process_ip):
        return create_backend(parameters)
    parameters.config["is_host"] = True
    try:
        return create_backend(parameters)
    except RendezvousConnectionError:
        parameters.config["is_host"] = False
        return create_backend(parameters)


def _sign(store: Store, params: ProcessParams) -> None:
    """Takes this machine's rank, once: ranks are given by the users of the machines."""
    place = f"machine {params.machine_rank}"
    if params.machine_rank >= params.machines:
        raise InputError(f"machine_rank is {params.machine_rank}, and the {params.machines} machines count from 0.")
    try:
        came = store.add(f"{place} came", 1)
        if came == 1:
            store.set(place, socket.gethostname())
    except DistError as error:
        where = f"{params.main_process_ip}:{params.main_process_port}"
        raise InputError(f"the run at {where} ended, or met without this machine: see machine 0's output.") from error
    if came > 1:
        raise InputError(f"two machines have machine_rank: {params.machine_rank}. Give each its own.")


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
        f"{named} of {params.machines} did not come to {params.main_process_ip}:{params.main_process_port} "
        f"within {params.machine_timeout:g} s. Start the same command there with machine_rank: {ranks[0]}, "
        "or raise machine_timeout."
    )


def _no_store(params: ProcessParams, is_host: bool, error: Exception) -> InputError:
    place = f"{params.main_process_ip}:{params.main_process_port}"
    if is_host:
        return InputError(
            f"machine 0 cannot listen at {place}: {' '.join(str(error).split())[:200]} "
            "Give another main_process_port, and as main_process_ip an address of this machine."
        )
    return InputError(
        f"machine 0 did not answer at {place} within {params.machine_timeout:g} s. "
        "Start the same command there with machine_rank: 0, and see that this machine can reach it."
    )
