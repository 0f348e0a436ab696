"""Machines that may leave a run and join it while it trains: machine 0 decides which of them take part.

A run goes in rounds. In each, machine 0 holds a store, where the others claim their numbers and give signs of life;
when enough are there, it names the members, whose processes train. A machine that comes later waits at the store:
machine 0 asks the processes for a stop with a checkpoint, and all meet again in the next round. The least and the most
machines and the last call mean what they do in torch's elastic rendezvous
(https://docs.pytorch.org/docs/stable/elastic/rendezvous.html).
"""

from __future__ import annotations

import enum
import json
import logging
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from uuid import uuid4

import attrs
from torch.distributed import HashStore, PrefixStore, Store  # type: ignore[attr-defined]

from adapt_core.errors import AdaptError, InputError, InterruptedRunError, LostProcessError
from adapt_core.result import RunResult
from adapt_core.run_folder.paths import RunFolder
from adapt_core.runtime.interrupts import HOW_TO_GO_ON

from adapt_fsdp.meeting import endpoint, held_store, no_store, reached_store, two_with_one_rank
from adapt_fsdp.params import ProcessParams
from adapt_fsdp.signs import PAUSE, SILENT, Signs, claim_of, is_claimed, left_by

log = logging.getLogger(__name__)

RESULT = "result"
"""The key of the run's result."""

_MEMBERS, _OVER = "members", "over"
_POLL_INTERVAL = 0.1
_LOST = 30.0
"""Seconds without a sign of life after which a machine with processes of the run is lost: torch's agent waits 15."""
_CLOSE_TIMEOUT = 30.0


class Outcome(enum.Enum):
    """What follows a round: another one, or the end of the run."""

    AGAIN = "again"
    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"


class RunEndedError(Exception):
    """The run ended before this machine took part in it.

    Attributes:
        result: of the run.
    """

    def __init__(self, result: RunResult) -> None:
        super().__init__("the run ended before this machine joined it")
        self.result = result


@attrs.define
class Members:
    """The machines that take part in a round.

    Attributes:
        store: of the round.
        signs: of life.
        claims: number of each machine -> what it claimed its number with, in the order of their ranks.
        number: this machine's.
        sizes: how many machines may take part; the last is the most.
    """

    store: Store
    signs: Signs
    claims: Mapping[int, str]
    number: int
    sizes: Sequence[int]
    _asked: bool = False

    @property
    def rank(self) -> int:
        """This machine's rank among the members."""
        return list(self.claims).index(self.number)

    def attend(self) -> None:
        """Give a sign of life; on machine 0, look for the others'.

        Raises:
            LostProcessError: a machine is gone.
        """
        if self.number:
            self.signs.give()
            return
        for number, claim in self.claims.items():
            if not number:
                continue
            if self.store.get(claim_of(number)).decode() != claim:
                raise LostProcessError(f"machine {number} was started again: what it had of the run is lost.")
            if self.signs.silence(number) > _LOST:
                raise LostProcessError(f"machine {number} has given no sign of life for {_LOST:g} s.")

    def grows(self) -> bool:
        """Whether machine 0 sees so many machines waiting that more can take part; true once in a round."""
        if self.number or self._asked:
            return False
        count = len(self.claims)
        others = [number for number in range(1, self.sizes[-1]) if number not in self.claims]
        waiting = sum(is_claimed(self.store, number) and self.signs.is_alive(number) for number in others)
        self._asked = any(count < size <= count + waiting for size in self.sizes)
        return self._asked

    def leave(self, outcome: Outcome) -> None:
        """Leave the round. The store ends with machine 0, which waits until the others that are there have left."""
        if self.number:
            with suppress(RuntimeError):  # the store is gone
                self.store.set(left_by(self.number), "")
            return
        self.store.set(_OVER, outcome.value)
        end = time.monotonic() + _CLOSE_TIMEOUT
        while time.monotonic() < end and any(map(self._is_here, range(1, self.sizes[-1]))):
            time.sleep(_POLL_INTERVAL)

    def release(self) -> None:
        """Let the store end here and now, whatever still refers to this object: the next round needs the port."""
        self.store = self.signs.store = HashStore()

    def _is_here(self, number: int) -> bool:
        if not is_claimed(self.store, number) or self.store.check([left_by(number)]):
            return False
        return self.signs.silence(number) < SILENT if number in self.claims else self.signs.is_alive(number)


@contextmanager
def lead(params: ProcessParams, sizes: Sequence[int]) -> Iterator[Members]:
    """Hold the store as machine 0, wait for the others, and name the members.

    Args:
        params: the launcher's.
        sizes: how many machines may take part, from the least to the most.

    Raises:
        InputError: fewer than the least came within `machine_timeout`, or the port is in use.
    """
    store = PrefixStore("adapt", held_store(params))
    signs = Signs(store, 0)
    present = _present(store, signs, params)
    count = max(size for size in sizes if size <= len(present))
    claims = {number: store.get(claim_of(number)).decode() if number else "" for number in present[:count]}
    store.set(_MEMBERS, json.dumps(claims))
    members = Members(store, signs, claims, 0, sizes)
    del store, signs  # see `release`
    yield members


def _present(store: Store, signs: Signs, params: ProcessParams) -> list[int]:
    """Wait for the most machines, or for the least and `machine_wait` more seconds; return those that are there."""
    least, most = params.machine_range
    end, last_call = time.monotonic() + params.machine_timeout, None
    while True:
        others = range(1, most)
        present = [0, *(n for n in others if is_claimed(store, n) and signs.silence(n) < SILENT)]
        now = time.monotonic()
        if len(present) < least:
            last_call = None
            if now > end:
                raise InputError(
                    f"{len(present)} of at least {least} machines joined at {endpoint(params)} within "
                    f"{params.machine_timeout:g} s. Start the same command on the others, or raise machine_timeout."
                )
        else:
            last_call = now + params.machine_wait if last_call is None else last_call
        if len(present) == most or (last_call is not None and now >= last_call):
            return present
        time.sleep(_POLL_INTERVAL)


@contextmanager
def follow(params: ProcessParams, sizes: Sequence[int], folder: RunFolder) -> Iterator[Members]:
    """Join the next round that machine 0 begins.

    Args:
        params: the launcher's.
        sizes: see `lead`.
        folder: of the run. What is finished in it when this begins may be of an earlier one, which it replaces.

    Raises:
        InputError: machine 0 did not answer within `machine_timeout`, the run failed, or two machines have one number.
        InterruptedRunError: the run was stopped.
        RunEndedError: the run ended meanwhile.
    """
    earlier, members = folder.finished(), None
    end = time.monotonic() + params.machine_timeout
    while members is None:
        store = PrefixStore("adapt", _reached(params, folder, earlier, end))
        was_over = True
        with suppress(RuntimeError):  # torch's, of a connection: machine 0 went on to the next round, or is gone
            was_over = store.check([_OVER])
            members = _joined(store, params, sizes)
        del store
        if not was_over:
            end = time.monotonic() + params.machine_timeout
        if members is None:
            time.sleep(PAUSE)
    yield members


def _reached(params: ProcessParams, folder: RunFolder, earlier: RunResult | None, end: float) -> Store:
    """Wait for machine 0 until a time, and return its store."""
    assert params.main_process_ip is not None
    while True:
        result = folder.finished()
        if result is not None and result != earlier:
            raise RunEndedError(result)
        if time.monotonic() > end:
            raise no_store(params, None, is_host=False)
        with suppress(OSError, InputError):  # the store may end at any moment
            socket.create_connection((params.main_process_ip, params.main_process_port), timeout=2 * PAUSE).close()
            return reached_store(params)
        time.sleep(PAUSE)


def _joined(store: Store, params: ProcessParams, sizes: Sequence[int]) -> Members | None:
    """Wait until this machine is a member; None where the round is over before, and another one follows."""
    number, token = params.machine_rank, uuid4().hex
    signs = Signs(store, number)
    late = store.check([_MEMBERS])
    told, has_number = False, _claimed(store, signs, number, token)
    while has_number and not store.check([_OVER]):
        signs.give()
        if not late and store.check([_MEMBERS]):
            claims = {int(key): claim for key, claim in json.loads(store.get(_MEMBERS)).items()}
            if claims.get(number) == token:
                return Members(store, signs, claims, number, sizes)
            late = True
        if late and not told:
            log.info("the run goes on without this machine, which joins it after one of the next steps.")
            told = True
        time.sleep(_POLL_INTERVAL)
    _after(store, params)
    return None


def _claimed(store: Store, signs: Signs, number: int, token: str) -> bool:
    """Claim a number, from a machine that is gone if need be; return False where the round is over before.

    Raises:
        InputError: another machine that is there has it.
    """
    holder = store.compare_set(claim_of(number), "", token).decode()
    while holder != token:
        end = time.monotonic() + SILENT
        while time.monotonic() < end:
            if store.check([_OVER]):
                return False
            if signs.is_alive(number):
                raise two_with_one_rank(number)
            time.sleep(_POLL_INTERVAL)
        holder = store.compare_set(claim_of(number), holder, token).decode()
    return not store.check([_OVER])


def _after(store: Store, params: ProcessParams) -> None:
    """Leave a round that is over, in which this machine had no part.

    Raises:
        AdaptError, RunEndedError: no other round follows.
    """
    outcome = Outcome(store.get(_OVER).decode())
    result = RunResult.from_json(json.loads(store.get(RESULT))) if store.check([RESULT]) else None
    with suppress(RuntimeError):
        store.set(left_by(params.machine_rank), "")
    if result is not None:
        raise RunEndedError(result)
    if outcome is Outcome.AGAIN:
        return
    where = f"the run at {endpoint(params)}"
    error: AdaptError = InputError(f"{where} failed before this machine joined it: see machine 0's output.")
    if outcome is Outcome.STOPPED:
        error = InterruptedRunError(f"{where} was stopped before this machine joined it. {HOW_TO_GO_ON}")
    raise error
