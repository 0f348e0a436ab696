"""The order of training rows: one of an epoch and a seed, wherever a run resumes.

That several processes share one order of rows grouped by length is a test of adapt-fsdp's.
"""

from __future__ import annotations

from typing import Any

import torch
from accelerate.data_loader import prepare_data_loader, skip_first_batches
from torch.utils.data import DataLoader, RandomSampler
from transformers import TrainerControl, TrainerState, TrainingArguments

from adapt_core.hf.loop.samplers import ResumableLengthGroupedSampler, RowOrderCallback, fill_up

LENGTHS = [5 + 7 * row % 31 for row in range(48)]


def batches(rank: int, epoch: int, skipped: int, arguments: TrainingArguments) -> list[list[int]]:
    """The batches of one of two processes in an epoch that the Trainer resumes after `skipped` of them."""
    torch.manual_seed(42)
    torch.rand(100 * rank + skipped)  # the processes' random states have moved apart
    loader = prepare_data_loader(
        DataLoader(range(len(LENGTHS)), batch_size=4, sampler=RandomSampler(LENGTHS), collate_fn=list),  # type: ignore[arg-type]
        num_processes=2,
        process_index=rank,
        put_on_device=False,
        use_seedable_sampler=True,
        data_seed=42,
    )
    state = TrainerState(epoch=epoch + skipped / 6)
    RowOrderCallback().on_epoch_begin(arguments, state, TrainerControl(), train_dataloader=loader)
    if skipped:
        loader = skip_first_batches(loader, skipped)
    loader.set_epoch(epoch)
    return list(loader)


def test_two_processes_share_an_epoch_out_and_resume_inside_it(tmp_path: Any) -> None:
    arguments = TrainingArguments(output_dir=str(tmp_path), use_cpu=True)
    orders = []
    for epoch in (0, 1):
        whole = [batches(rank, epoch, 0, arguments) for rank in (0, 1)]
        assert sorted(row for rank in whole for batch in rank for row in batch) == list(range(48))
        for rank in (0, 1):
            assert batches(rank, epoch, 4, arguments) == whole[rank][4:]
        orders.append(whole)
    assert orders[0] != orders[1]


def test_one_process_draws_what_transformers_draws_and_draws_it_again_after_a_resume() -> None:
    from transformers.trainer_pt_utils import LengthGroupedSampler

    torch.manual_seed(3)
    expected = list(LengthGroupedSampler(8, lengths=LENGTHS))
    torch.manual_seed(3)
    first = ResumableLengthGroupedSampler(LENGTHS, 8, processes=1)
    assert list(first) == expected
    resumed = ResumableLengthGroupedSampler(LENGTHS, 8, processes=1)
    resumed.drawn = first.drawn
    torch.manual_seed(4)
    before = torch.get_rng_state()
    assert list(resumed) == expected
    assert torch.equal(torch.get_rng_state(), before)
    resumed.set_epoch(1)
    assert list(resumed) != expected


def test_one_process_that_takes_over_has_the_batches_of_two() -> None:
    """In 45 rows and batches of 4 the last batches of two processes are filled up with the epoch's first rows."""

    def loader(rank: int, processes: int) -> DataLoader[list[int]]:
        torch.manual_seed(42)
        return prepare_data_loader(
            DataLoader(range(45), batch_size=4, sampler=RandomSampler(range(45)), collate_fn=list),  # type: ignore[arg-type]
            num_processes=processes,
            process_index=rank,
            put_on_device=False,
            use_seedable_sampler=True,
            data_seed=42,
        )

    two = [list(loader(rank, 2)) for rank in (0, 1)]
    one = loader(0, 1)
    assert len(list(one)) == 12
    assert len(list(one)[-1]) == 1
    one = loader(0, 1)
    fill_up(one, 2 * 4)
    assert len(one) == 12
    assert list(one) == [batch for step in zip(*two, strict=True) for batch in step]
