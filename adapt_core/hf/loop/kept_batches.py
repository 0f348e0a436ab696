"""The batches of evaluated splits, kept from the first evaluation for the later ones."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any

import attrs
import torch
from torch.utils.data import DataLoader, SequentialSampler

from adapt_core.hf.loop.samplers import sampler_of
from adapt_core.nn.random_state import seed_everything, untouched_random_state
from adapt_core.runtime.format import size

MOST = 2**28
"""Bytes that the kept batches of one process may take."""
_INTEGERS = (torch.int8, torch.int16, torch.int32)
_OTHER_SEED = 20_011

log = logging.getLogger(__name__)


@attrs.frozen
class _Batch:
    """A batch of tensors, each in the smallest type of integers that holds its numbers.

    Attributes:
        kind: the class of the batch, a mapping.
        tensors: name -> (what is kept, the dtype that it has in the batch).
    """

    kind: Any
    tensors: Mapping[str, tuple[torch.Tensor, torch.dtype]]

    @classmethod
    def of(cls, batch: object) -> _Batch | None:
        """Return a copy of a batch; None where it is not made of tensors in the processor's memory."""
        if not isinstance(batch, Mapping) or not all(_is_plain(value) for value in batch.values()):
            return None
        return cls(
            type(batch), {name: (value.to(_smallest(value), copy=True), value.dtype) for name, value in batch.items()}
        )

    @property
    def bytes(self) -> int:
        return sum(value.nbytes for value, _ in self.tensors.values())

    def made(self) -> Any:
        """Return the batch, with tensors of its own: a model may write into them."""
        return self.kind({name: value.to(dtype, copy=True) for name, (value, dtype) in self.tensors.items()})

    def equals(self, other: _Batch | None) -> bool:
        return (
            other is not None
            and self.tensors.keys() == other.tensors.keys()
            and all(
                dtype == other.tensors[name][1] and torch.equal(value, other.tensors[name][0])
                for name, (value, dtype) in self.tensors.items()
            )
        )


class KeptBatches:
    """The loaders of evaluated splits with their batches, made once where the batches of a split find room.

    They are not kept where the order of rows is drawn, and where the first batch is not the same when it is made again
    (at the second evaluation): a collator or a transform draws.

    Args:
        most: bytes for all splits of this process; under DDP that is for its own share of the rows.
        again: whether a split is evaluated again after its next evaluation; where not, nothing more is kept, and what
            is kept is given back while it is used.
    """

    def __init__(self, most: int = MOST, *, again: bool = True) -> None:
        self.most = most
        self.again = again
        self._found: list[tuple[object, DataLoader[Any], list[int] | None]] = []

    @property
    def bytes(self) -> int:
        """What the kept batches take."""
        return sum(loader.bytes for loader in self._loaders())

    def find(self, examples: object) -> tuple[DataLoader[Any], list[int] | None] | None:
        """Return the loader of a split and the order of its rows, where its batches are kept or may be."""
        return next(((loader, order) for split, loader, order in self._found if split is examples), None)

    def keep(self, examples: object, loader: DataLoader[Any], order: list[int] | None) -> None:
        """Let a loader keep its batches while they are made.

        Args:
            examples: of the split, the same object at each evaluation.
            loader: as accelerate prepared it.
            order: of the rows, None where they are in order.
        """
        inner = getattr(loader, "base_dataloader", None)
        in_fixed_order = isinstance(sampler_of(loader), (list, SequentialSampler))
        if self.again and in_fixed_order and type(inner) is DataLoader:
            inner.__class__ = _KeepingLoader
            inner.kept_by(self, alike=order is None)  # type: ignore[attr-defined]
            self._found.append((examples, loader, order))

    def end(self, *, evaluates: bool) -> None:
        """Keep no more, and give back all batches: each where it is used once more, or at once.

        Args:
            evaluates: whether the splits are evaluated once more.
        """
        self.again = False
        if not evaluates:
            for loader in self._loaders():
                loader.refuse()
            self._found = []

    def _loaders(self) -> Iterator[_KeepingLoader]:
        for _, loader, _ in self._found:
            yield loader.base_dataloader  # type: ignore[attr-defined]


class _KeepingLoader(DataLoader[Any]):
    """A loader that keeps the batches it makes. accelerate's loader around it moves them to the device."""

    _batches: list[_Batch] | None = None  # of all rows
    _refused = False
    _compared = False
    _owner: KeptBatches
    _alike: bool

    def kept_by(self, owner: KeptBatches, *, alike: bool) -> None:
        """Set whose bytes they are, and whether all batches are of about one size."""
        self._owner, self._alike = owner, alike

    @property
    def bytes(self) -> int:
        return sum(batch.bytes for batch in self._batches or ())

    def refuse(self) -> None:
        """Keep nothing."""
        self._batches, self._refused = None, True

    def __iter__(self) -> Any:
        if self._batches is not None and not self._compared and not self._comes_again(self._batches):
            self.refuse()
            log.debug("the batches of an evaluation are made each time: they are not always the same.")
        return self._making() if self._batches is None else self._using(self._batches)

    def _using(self, batches: list[_Batch]) -> Iterator[Any]:
        # As the iterator of a loader does, so that what is drawn afterwards is the same.
        torch.empty((), dtype=torch.int64).random_(generator=self.generator)
        if self._owner.again:
            yield from (batch.made() for batch in batches)
            return
        self.refuse()
        batches.reverse()
        while batches:
            yield batches.pop().made()

    def _making(self) -> Iterator[Any]:
        batches: list[_Batch] = []
        room, taken = self._owner.most - self._owner.bytes, 0
        keeps = self._owner.again and not self._refused
        for batch in super().__iter__():
            if keeps:
                kept = _Batch.of(batch)
                taken += 0 if kept is None else kept.bytes
                full = len(self) - 1 if self._alike and not batches else 1  # the last one may be smaller
                if kept is None or taken > room or taken * full > room:
                    batches, keeps = [], False
                    self.refuse()
                else:
                    batches.append(kept)
            yield batch
        if keeps:
            self._batches = batches
            log.debug("the batches of an evaluation are kept for the next ones: %s", size(taken))

    def _comes_again(self, batches: list[_Batch]) -> bool:
        """Return whether the first batch is the same when it is made with other random numbers."""
        self._compared = True
        sampler, data = self.batch_sampler, self.dataset
        rows = next(iter(sampler or ()), None)
        if rows is None or not batches:
            return True
        fetch = getattr(data, "__getitems__", None)
        with untouched_random_state():
            seed_everything(_OTHER_SEED)
            again = self.collate_fn(fetch(rows) if fetch else [data[row] for row in rows])
        return batches[0].equals(_Batch.of(again))


def _is_plain(value: object) -> bool:
    return isinstance(value, torch.Tensor) and value.device.type == "cpu" and value.layout == torch.strided


def _smallest(values: torch.Tensor) -> torch.dtype:
    if values.dtype != torch.int64 or not values.numel():
        return values.dtype
    low, high = (int(bound) for bound in values.aminmax())
    fits = (dtype for dtype in _INTEGERS if torch.iinfo(dtype).min <= low and high <= torch.iinfo(dtype).max)
    return next(fits, values.dtype)
