"""Kept batches of evaluated splits: those of the loader, made once, and never where they would differ."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("transformers", reason="needs the extra adapt-core[hf]")

import torch
from accelerate import Accelerator
from datasets import Dataset
from torch.utils.data import DataLoader, RandomSampler
from transformers import BatchEncoding

from adapt_core.hf.loop.kept_batches import KeptBatches

ROWS = Dataset.from_dict({"input_ids": [[n, n + 1, 40_000] for n in range(10)], "labels": [n % 3 for n in range(10)]})
ORDER = list(range(9, -1, -1))
IDS = 4 * 3 * 10  # 40,000 needs int32
LABELS = 1 * 10

Collate = Callable[[list[dict[str, Any]]], Any]


class Counted:
    """A collator that counts its calls."""

    def __init__(self, further: Callable[[int], torch.Tensor] | None = None) -> None:
        self.calls = 0
        self._further = further

    def __call__(self, examples: list[dict[str, Any]]) -> BatchEncoding:
        self.calls += 1
        batch = {name: torch.tensor([each[name] for each in examples]) for name in examples[0]}
        if self._further is not None:
            batch["pixel_values"] = self._further(len(examples))
        return BatchEncoding(batch)


def loader_of(collate: Collate, sampler: Any = ORDER, workers: int = 0) -> DataLoader[Any]:
    loader = DataLoader(ROWS, batch_size=4, sampler=sampler, collate_fn=collate, num_workers=workers)
    prepared: DataLoader[Any] = Accelerator(cpu=True).prepare_data_loader(loader)
    return prepared


def passed_over(loader: DataLoader[Any]) -> list[dict[str, torch.Tensor]]:
    """Return the batches of one pass, and write into them afterwards, as a model may."""
    found = []
    for batch in loader:
        found.append({name: value.clone() for name, value in batch.items()})
        for value in batch.values():
            value.fill_(0)
    return found


def same(first: list[dict[str, torch.Tensor]], second: list[dict[str, torch.Tensor]]) -> bool:
    return len(first) == len(second) and all(
        one.keys() == other.keys()
        and all(torch.equal(one[name], other[name]) and one[name].dtype == other[name].dtype for name in one)
        for one, other in zip(first, second, strict=True)
    )


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_are_made_once_and_are_the_same(workers: int) -> None:
    kept, collate = KeptBatches(), Counted()
    loader = loader_of(collate, workers=workers)
    plain = passed_over(loader_of(Counted()))
    kept.keep(ROWS, loader, ORDER)
    assert kept.find(ROWS) == (loader, ORDER)
    assert all(same(passed_over(loader), plain) for _ in range(3))
    assert collate.calls == (0 if workers else 3) + 1  # the first batch once more, to compare
    assert kept.bytes == IDS + LABELS


def test_what_is_drawn_after_an_evaluation_does_not_depend_on_kept_batches() -> None:
    kept = KeptBatches()
    keeping, plain = loader_of(Counted()), loader_of(Counted())
    kept.keep(ROWS, keeping, ORDER)
    for _ in range(3):
        drawn = []
        for loader in (keeping, plain):
            torch.manual_seed(7)
            passed_over(loader)
            drawn.append(torch.rand(2))
        assert torch.equal(*drawn)


def test_the_class_and_the_end_of_batches_stay() -> None:
    kept, loader = KeptBatches(), loader_of(Counted())
    kept.keep(ROWS, loader, ORDER)
    for _ in range(2):
        batches, ends = [], []
        for batch in loader:
            batches.append(batch)
            ends.append(loader.end_of_dataloader)  # type: ignore[attr-defined]
        assert all(isinstance(batch, BatchEncoding) for batch in batches)
        assert ends == [False, False, True]
        assert loader.remainder == 2  # type: ignore[attr-defined]


def test_a_collator_that_draws_is_called_each_time() -> None:
    kept, collate = KeptBatches(), Counted(lambda rows: torch.rand(rows, 2))
    loader = loader_of(collate)
    kept.keep(ROWS, loader, ORDER)
    torch.manual_seed(0)
    first, second = passed_over(loader), passed_over(loader)
    plain = loader_of(Counted(lambda rows: torch.rand(rows, 2)))
    torch.manual_seed(0)
    assert same(first, passed_over(plain))
    assert same(second, passed_over(plain))
    assert not same(first, second)
    assert kept.bytes == 0


def test_an_order_that_is_drawn_keeps_nothing() -> None:
    kept, collate = KeptBatches(), Counted()
    loader = loader_of(collate, RandomSampler(ROWS))
    kept.keep(ROWS, loader, None)
    passed_over(loader)
    passed_over(loader)
    assert (kept.find(ROWS), collate.calls) == (None, 6)


@pytest.mark.parametrize(("room", "bytes_kept"), [(IDS + LABELS, IDS + LABELS), (IDS + LABELS - 1, 0)])
def test_a_split_is_kept_whole_or_not_at_all(room: int, bytes_kept: int) -> None:
    kept, collate = KeptBatches(room), Counted()
    loader = loader_of(collate)
    kept.keep(ROWS, loader, ORDER)
    passed_over(loader)
    passed_over(loader)
    assert kept.bytes == bytes_kept
    assert collate.calls == (4 if bytes_kept else 6)


def test_splits_share_the_room() -> None:
    kept, further = KeptBatches(2 * (IDS + LABELS) - 1), ROWS.select(range(10))
    for rows in (ROWS, further):
        loader = loader_of(Counted())
        kept.keep(rows, loader, ORDER)
        passed_over(loader)
    assert kept.bytes == IDS + LABELS


def test_what_is_no_tensor_is_not_kept() -> None:
    kept, made = KeptBatches(), Counted()
    loader = loader_of(lambda examples: {**made(examples), "texts": ["a"] * len(examples)})
    kept.keep(ROWS, loader, ORDER)
    assert [len(list(loader)) for _ in range(2)] == [3, 3]
    assert (kept.bytes, made.calls) == (0, 6)


@pytest.mark.parametrize("evaluates", [True, False])
def test_at_the_end_all_is_given_back(evaluates: bool) -> None:
    kept, collate = KeptBatches(), Counted()
    loader = loader_of(collate)
    kept.keep(ROWS, loader, ORDER)
    plain = passed_over(loader)
    kept.end(evaluates=evaluates)
    assert same(passed_over(loader), plain)
    assert kept.bytes == 0
    assert collate.calls == 3 + (1 if evaluates else 3)
    kept.keep(ROWS.select(range(10)), loader_of(collate), ORDER)
    assert kept.bytes == 0
