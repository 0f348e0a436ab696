"""The frozen part of a loop's model: computed once for each row of a split, and replayed in training and evaluation."""

from __future__ import annotations

import logging
import shutil
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import attrs
import numpy
import torch
from torch import nn

from adapt_core.distributed.world import World
from adapt_core.errors import first_line
from adapt_core.hf.data.cache import cache_folder
from adapt_core.hf.frozen.key import frozen_key
from adapt_core.hf.frozen.replay import Recorded
from adapt_core.hf.frozen.rows import ROW, RowSource, span_of
from adapt_core.hf.frozen.store import FOLDERS, Files, Store, make_room
from adapt_core.hf.frozen.trace import frozen_share
from adapt_core.hf.frozen.trial import LEAST_SHARE, Runner, try_frozen
from adapt_core.nn.modes import evaluation_mode
from adapt_core.nn.random_state import untouched_random_state
from adapt_core.runtime.format import size

log = logging.getLogger(__name__)

T = TypeVar("T")


class _RefusedError(Exception):
    """The frozen part is computed at every step; the message is the reason."""


@attrs.frozen(eq=False)
class _Split:
    """A split whose frozen part is computed. It is kept, so that its id stays its own."""

    split: Any
    source: RowSource
    store: Store
    numbered: Any


@attrs.define(eq=False)
class FrozenPart:
    """What is known of the frozen part of a model.

    Attributes:
        runner: calls the model.
        source: (a split, how often it is passed over) -> its rows; None where they cannot be told apart.
        world: this process among those of the run.
        batch_size: rows that are computed at a time.
        most: bytes on disk that a split may take.
        settings: what outputs depend on beside model and rows, JSON-ready.
    """

    runner: Runner
    source: Callable[[Any, float], RowSource | None]
    world: World
    batch_size: int
    most: int
    settings: Sequence[object] = ()
    _trainable: frozenset[str] = attrs.field(
        init=False, default=attrs.Factory(lambda part: _trainable(part.runner.model), takes_self=True)
    )
    _recorded: Recorded | None = None
    _refused: bool = False
    _ready: dict[int, _Split] = attrs.field(factory=dict)

    def prepare(self, split: Any, passes: float) -> None:
        """Compute the frozen part for the rows of a split, unless that does not pay or an earlier run did.

        Args:
            split: a split of the run's data.
            passes: how often training or evaluation will pass over it.
        """
        if split is None or id(split) in self._ready or passes <= 1 or self._refused:
            return
        if self._trainable != _trainable(self.runner.model):
            return  # an adapter is switched off: the frozen part would seem to be all of the model
        if frozen_share(self.runner.model) < LEAST_SHARE:
            return
        source = self.source(split, passes)
        if source is None or not len(source):
            return
        if self._recorded is None and len(source) == 1:
            log.info("the frozen part is computed at every step for a split of one row.")
            return  # another split has more rows to try it on
        try:
            store = self._kept(source)
        except _RefusedError as reason:
            self._refused = True
            log.info("the frozen part is computed at every step: %s.", reason)
            return
        if store is not None:
            self._ready[id(split)] = _Split(split, source, store, source.numbered())

    def _kept(self, source: RowSource) -> Store | None:
        if self._recorded is None:
            recorded = self._together(lambda: self._tried(source))
            if not all(_from_all(recorded is not None, self.world)):
                return None  # an adapter is switched off, and no module that trains was called
            self._recorded = recorded
        assert self._recorded is not None
        return self._stored(self._recorded, source)

    def _tried(self, source: RowSource) -> Recorded | None:
        found = try_frozen(self.runner, source)
        if isinstance(found, str):
            raise _RefusedError(found)
        return found

    def _together(self, work: Callable[[], T]) -> T:
        """Do work in every process and return what this one made; all wait until each has come to an end.

        Raises:
            _RefusedError: it failed in one of them.
        """
        reason = ""
        try:
            made = work()
        except (MemoryError, torch.OutOfMemoryError):
            raise  # the run has a message for it
        except _RefusedError as error:
            reason = str(error)
        except Exception as error:  # this only saves time: whatever goes wrong must not end the run
            log.debug("the frozen part", exc_info=True)
            reason = f"{type(error).__name__}: {first_line(error).rstrip('.')}"
        reasons = [each for each in _from_all(reason, self.world) if each]
        if reasons:
            raise _RefusedError(min(reasons))
        return made

    def rows(self, split: Any) -> Any:
        """Return the examples of a split for a data loader: numbered, where its frozen part is computed."""
        return self._ready[id(split)].numbered if id(split) in self._ready else split

    def holds(self, split: Any) -> bool:
        """Return whether the frozen part is computed for a split."""
        return id(split) in self._ready

    @contextmanager
    def replayed(self, inputs: Mapping[str, Any], split: Any) -> Iterator[Mapping[str, Any]]:
        """Within the context the frozen part returns what was computed for a batch; yield the inputs of the model.

        Args:
            inputs: with the numbers of the rows as ROW; without them nothing is replaced.
            split: that the rows are of.
        """
        if ROW not in inputs:
            yield inputs
            return
        ready = self._ready[id(split)]
        assert self._recorded is not None
        numbers = inputs[ROW].cpu()
        device = next(self.runner.model.parameters()).device
        given = {name: value for name, value in inputs.items() if name != ROW}
        stand_ins = {name: value.to(device) for name, value in ready.source.stand_ins(len(numbers)).items()}
        span = span_of(given)
        batch = self._recorded.batch(ready.store.read(numbers), len(numbers), span, device)
        with self._recorded.replayed(batch):
            yield {**given, **stand_ins}

    def _stored(self, recorded: Recorded, source: RowSource) -> Store | None:
        files = self._together(lambda: self._files(recorded, source))
        if all(_from_all(files.exist, self.world)):
            store = self._together(files.open)
            log.info("the frozen part of %d rows: from the cache (%s)", len(source), size(files.bytes))
            return store
        free = self._together(lambda: _free(files.folder.parent))
        if not all(_from_all(files.bytes <= min(self.most, free // 2), self.world)):
            log.info(
                "the frozen part is computed at every step: for %d rows it takes %s on disk; FROZEN_CACHE_GB allows %s "
                "and %s is free.",
                len(source),
                size(files.bytes),
                size(self.most),
                size(free),
            )
            return None
        log.info("the frozen part: computed once for %d rows, %s on disk", len(source), size(files.bytes))
        started = time.monotonic()
        self._fill(recorded, source, files)
        log.info("the frozen part: computed in %.1f s", time.monotonic() - started)
        return self._together(files.open)

    def _files(self, recorded: Recorded, source: RowSource) -> Files:
        lengths = source.lengths
        offsets = None if lengths is None else torch.from_numpy(numpy.concatenate([[0], numpy.cumsum(lengths)]))
        key = frozen_key(self.runner.model, recorded, [source.key, *self.settings])
        return Files(folder=cache_folder() / "frozen" / key, kept=recorded.kept, rows=len(source), offsets=offsets)

    def _fill(self, recorded: Recorded, source: RowSource, files: Files) -> None:
        """Compute the files, each process of a machine a share of them."""
        machines = _from_all((socket.gethostname(), self.world.rank), self.world)
        beside = [rank for name, rank in machines if name == socket.gethostname()]
        place, leads = beside.index(self.world.rank), beside[0] == self.world.rank
        begun: list[Path] = []  # by this process

        def begin() -> None:
            if leads:
                make_room(files.folder.parent, FOLDERS * self.most - files.bytes)
                begun.append(files.begin())

        def finish() -> None:
            for own in begun:
                files.finish(own, {"values": [f"{kept.form} {kept.rest} {kept.dtype}" for kept in files.kept]})

        try:
            self._together(begin)
            folder = _from_all(begun, self.world)[beside[0]][0]
            self._together(lambda: self._compute(recorded, source, files.open(folder), beside=len(beside), place=place))
            self._together(finish)
        finally:
            for own in begun:
                shutil.rmtree(own, ignore_errors=True)  # is finished, and has another name, or never will be

    def _compute(self, recorded: Recorded, source: RowSource, store: Store, *, beside: int, place: int) -> None:
        lengths = source.lengths
        order = range(len(source)) if lengths is None else numpy.argsort(-lengths, kind="stable").tolist()
        batches = [list(order[start : start + self.batch_size]) for start in range(0, len(order), self.batch_size)]
        own = batches[place::beside]
        with untouched_random_state(), evaluation_mode(self.runner.model):
            for numbers, batch in zip(own, source.batches(own), strict=True):
                inputs = self.runner.ready(batch)
                calls, _ = self.runner.calls(recorded.modules, inputs)
                store.write(torch.tensor(numbers), recorded.take(calls, span_of(inputs)))


def _trainable(model: nn.Module) -> frozenset[str]:
    return frozenset(name for name, parameter in model.named_parameters() if parameter.requires_grad)


def _free(folder: Path) -> int:
    """Make a folder and return the bytes that are free on its disk."""
    folder.mkdir(parents=True, exist_ok=True)
    return shutil.disk_usage(folder).free


def _from_all(value: Any, world: World) -> list[Any]:
    """Return the value of each process, in the order of ranks."""
    if world.size == 1:
        return [value]
    found: list[Any] = [None] * world.size
    torch.distributed.all_gather_object(found, value)
    return found
