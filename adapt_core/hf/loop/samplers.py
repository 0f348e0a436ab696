"""The order of rows: of training, the same after a resume and in every process; of evaluation, by length."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy
import torch
from datasets import Dataset
from torch.utils.data import DataLoader, Sampler
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_pt_utils import LengthGroupedSampler, get_length_grouped_indices

from adapt_core.hf.data.columns import token_lengths
from adapt_core.hf.data.resampling import Shares, with_repeats
from adapt_core.nn.random_state import untouched_random_state
from adapt_core.nn.weights import read_torch_file

STATE = "training_order.pt"
_ROUNDING = 1e-6
_MIXED = 0x9E3779B97F4A7C15
_SEEDS = 2**62
_TOKENS = "input_ids"


def lengths_of(rows: object) -> list[int] | None:
    """Return the number of tokens of each row, or None where rows have none (images).

    transformers reads every row in Python for it, at each evaluation: a minute for a million rows.
    """
    if not isinstance(rows, Dataset) or _TOKENS not in rows.column_names or not len(rows):
        return None
    found: list[int] = token_lengths(rows).tolist()
    return found


def longest_first(lengths: list[int]) -> list[int] | None:
    """Return the order in which batches have the least padding, or None where all rows are of one length.

    The longest rows come first, so that a batch that does not fit in memory is the first one.
    """
    if min(lengths) == max(lengths):
        return None
    order: list[int] = numpy.argsort(-numpy.asarray(lengths), kind="stable").tolist()
    return order


class ResumableLengthGroupedSampler(LengthGroupedSampler):
    """Groups rows of similar length, in an order that can be drawn again.

    transformers draws it from torch's global random state, which dropout has advanced in a later epoch: a run that
    resumes inside an epoch would take other rows, and several processes the same rows twice. Here one process draws
    what transformers would, and keeps the random state it drew from; several processes take what rank 0 draws, which is
    what one process with their global batch would draw.

    Args:
        lengths: tokens of each row.
        batch_size: rows of an optimizer step in one process.
        processes: the number of ranks.

    Attributes:
        epoch: the epoch of the next draw.
        drawn: epoch -> the random state (rank 0's) that its order was drawn from; the latest epoch only.
    """

    def __init__(self, lengths: list[int], batch_size: int, processes: int) -> None:
        super().__init__(batch_size * processes, lengths=lengths)
        self._processes = processes
        self.epoch = 0
        self.drawn: dict[int, torch.Tensor] = {}

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch of the next draw."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        if self.epoch in self.drawn:
            with untouched_random_state():
                torch.set_rng_state(self.drawn[self.epoch])
                return iter(super().__iter__())
        state = torch.get_rng_state()
        drawn: list[Any] = [state, list(super().__iter__())]
        if self._processes > 1:
            torch.distributed.broadcast_object_list(drawn, src=0)
        self.drawn = {self.epoch: drawn[0]}
        return iter(drawn[1])


class ShareSampler(Sampler[int]):
    """Draws the rows of an epoch by their shares, as a function of seed and epoch: the same in every process.

    Args:
        shares: of the rows.
        seed: SEED.
        shows_repeats: whether a row that comes again for the k-th time is row + k x rows, for another view of it.
        lengths: tokens of each row, to group those of like length; None for a random order.
        rows_of_step: of all processes, in which they are grouped.
    """

    def __init__(
        self,
        shares: Shares,
        seed: int,
        *,
        shows_repeats: bool = False,
        lengths: list[int] | None = None,
        rows_of_step: int = 1,
    ) -> None:
        self._shares, self._seed, self._shows_repeats = shares, seed, shows_repeats
        self._lengths, self._rows_of_step = lengths, rows_of_step
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch of the next draw."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._shares)

    def __iter__(self) -> Iterator[int]:
        rows = self._shares.drawn(self._seed, self._epoch)
        if self._lengths is not None:
            lengths = numpy.asarray(self._lengths)[rows].tolist()
            generator = torch.Generator().manual_seed(self._seed * _MIXED % _SEEDS + self._epoch)
            rows = rows[get_length_grouped_indices(lengths, self._rows_of_step, generator=generator)]
        if self._shows_repeats:
            rows = rows + with_repeats(rows) * len(self._shares.expected)
        return iter(rows.tolist())


def row_numbers(rows: Sized, drawn: Iterable[int]) -> list[int]:
    """Return the rows that a sampler drew, of which some are further views."""
    return [number % len(rows) for number in drawn]


class FilledUp(Sampler[int]):
    """An order of rows that goes on with its first ones, to a multiple of some number.

    As several processes fill theirs up (accelerate): one that takes over from them has steps of the same rows.
    """

    def __init__(self, sampler: Any, multiple: int) -> None:
        self._sampler, self._multiple = sampler, multiple

    def __len__(self) -> int:
        return -(-len(self._sampler) // self._multiple) * self._multiple

    def __iter__(self) -> Iterator[int]:
        order = list(self._sampler)
        return islice(cycle(order), len(self))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sampler, name)


def fill_up(loader: DataLoader[Any], multiple: int) -> None:
    """Let a prepared loader's order of rows be a `FilledUp` one."""
    if multiple == 1:
        return
    batches: Any = loader.batch_sampler
    while hasattr(batches, "batch_sampler"):
        batches = batches.batch_sampler
    batches.sampler = FilledUp(batches.sampler, multiple)


class RowOrderCallback(TrainerCallback):
    """Sets the epoch of the training sampler, and saves and loads its order with checkpoints.

    accelerate sets the epoch too, but not through its wrappers of a sampler when several processes resume inside an
    epoch.
    """

    def __init__(self) -> None:
        self._resumed: dict[int, torch.Tensor] = {}

    def resume(self, checkpoint: Path) -> None:
        """Load the order of the epoch in which a checkpoint was written, where the checkpoint has one."""
        path = checkpoint / STATE
        if path.is_file():
            self._resumed = read_torch_file(path)

    def on_epoch_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        train_dataloader: DataLoader[Any] | None = None,
        **_: object,
    ) -> None:
        sampler = sampler_of(train_dataloader)
        if hasattr(sampler, "set_epoch"):
            sampler.set_epoch(int((state.epoch or 0.0) + _ROUNDING))
        if isinstance(sampler, ResumableLengthGroupedSampler) and self._resumed:
            sampler.drawn, self._resumed = self._resumed, {}

    def on_save(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        train_dataloader: DataLoader[Any] | None = None,
        **_: object,
    ) -> None:
        sampler = sampler_of(train_dataloader)
        if isinstance(sampler, ResumableLengthGroupedSampler) and sampler.drawn and args.process_index == 0:
            torch.save(sampler.drawn, Path(str(args.output_dir)) / f"checkpoint-{state.global_step}" / STATE)


def sampler_of(loader: DataLoader[Any] | None) -> Any:
    batches: Any = getattr(loader, "batch_sampler", None)
    while hasattr(batches, "batch_sampler"):
        batches = batches.batch_sampler
    sampler = getattr(batches, "sampler", None)
    return sampler._sampler if isinstance(sampler, FilledUp) else sampler
