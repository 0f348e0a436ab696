"""The machines of a run meet at one store of torch's, through which their `adapt` commands exchange values."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import attrs
from torch.distributed import DistError, Store  # type: ignore[attr-defined]

from adapt_core.errors import DefectError, InputError, InterruptedRunError, LostProcessError, RegroupError
from adapt_core.run_folder.paths import RunFolder

from adapt_fsdp.failures import as_told
from adapt_fsdp.meeting import LOOPBACK, c10d, endpoint, one_line, static, store_on_loopback
from adapt_fsdp.membership import Members, Outcome, follow, lead
from adapt_fsdp.params import ProcessParams

log = logging.getLogger(__name__)

_FAILURE = "failure"
_KINDS = (InputError, InterruptedRunError, LostProcessError, DefectError)
_CLOSE_TIMEOUT = 30.0
_POLL_INTERVAL = 0.1
"""Seconds."""


@attrs.define
class Rendezvous:
    """The machines of a run, joined by one store of torch's.

    Attributes:
        store: what their commands write to and read from.
        host, port: where the workers find the same store.
        rank: this machine's rank.
        size: the number of machines.
        members: the machines, where they may leave and join.
        is_lost: whether the store could not be reached.
    """

    store: Store
    host: str
    port: int
    rank: int = 0
    size: int = 1
    members: Members | None = None
    is_lost: bool = False

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
            raise self._left(error) from error

    def _left(self, error: Exception) -> LostProcessError:
        self.is_lost = True
        return LostProcessError(f"the machine that holds {self.host}:{self.port} left the run: {one_line(error)}")

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
        number = self.rank if self.members is None else self.members.number
        self.set(_FAILURE, {"machine": number, "kind": kind.__name__, "message": str(told)})

    def failed_elsewhere(self) -> bool:
        """Whether another machine reported a failure.

        Raises:
            LostProcessError: a machine is gone.
        """
        if self.members is not None:
            try:
                self.members.attend()
            except (DistError, RuntimeError) as error:
                raise self._left(error) from error
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

    def grows(self) -> bool:
        """Whether further machines wait to join; true once, and on machine 0 alone."""
        return self.members is not None and self.members.grows()

    def release(self) -> None:
        """Let the store end here and now, where machines may leave and join."""
        if self.members is not None:
            self.members.release()
            self.store = self.members.store

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
def rendezvous(
    params: ProcessParams, sizes: Sequence[int] = (), folder: RunFolder | None = None
) -> Iterator[Rendezvous]:
    """Join the machines of a run.

    Args:
        params: the launcher's.
        sizes: where machines may leave and join, how many may take part, from the least to the most.
        folder: there, the run folder.

    Raises:
        InputError: a machine did not join within `machine_timeout`, two have one rank, or the port is in use.
        RunEndedError: machines may join, and the run ended before this one did.
    """
    if params.may_change:
        assert folder is not None
        with _changing(params, sizes, folder) as machines:
            yield machines
        return
    if params.machines == 1:
        own = store_on_loopback()
        yield Rendezvous(own, LOOPBACK, own.port)
        return
    assert params.main_process_ip is not None
    log.info("machine %d of %d: joining at %s", params.machine_rank, params.machines, endpoint(params))
    join = static if params.rdzv_backend == "static" else c10d
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


@contextmanager
def _changing(params: ProcessParams, sizes: Sequence[int], folder: RunFolder) -> Iterator[Rendezvous]:
    host, port = params.main_process_ip, params.main_process_port
    assert host is not None
    log.info("machine %d of %d to %d: joining at %s", params.machine_rank, *params.machine_range, endpoint(params))
    join = follow(params, sizes, folder) if params.machine_rank else lead(params, sizes)
    with join as members:
        machines = Rendezvous(members.store, host, port, members.rank, len(members.claims), members)
        outcome = Outcome.FAILED
        try:
            yield machines
            outcome = Outcome.DONE
        except RegroupError:
            outcome = Outcome.AGAIN
            raise
        except InterruptedRunError:
            outcome = Outcome.STOPPED
            raise
        except BaseException as error:
            outcome = Outcome.AGAIN if isinstance(error, LostProcessError) else Outcome.FAILED
            if not machines.is_lost:
                with suppress(DefectError):  # Without the store no machine can be reached.
                    machines.set_failure(error)
            raise
        finally:
            if not machines.is_lost:  # torch writes its stack to the terminal at each try to reach one that is gone
                members.leave(outcome)
            machines.release()
