"""Whether and how a run trains on packs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import numpy
import torch
from torch import distributed

from adapt_core.contracts import Job
from adapt_core.distributed.world import World
from adapt_core.hf.data.columns import token_lengths
from adapt_core.nn.random_state import untouched_random_state

from adapt_nlp.text_generation.attention import attend_to_packs
from adapt_nlp.text_generation.data import SPLITS
from adapt_nlp.text_generation.packing import Packs, best_fit_decreasing
from adapt_nlp.text_generation.probe import agrees_by_document, why_not_packed

if TYPE_CHECKING:
    from datasets import Dataset

    from adapt_nlp.text_generation.collate import CollateDocuments

ResultT = TypeVar("ResultT")

log = logging.getLogger(__name__)


def pack_documents(documents: Dataset, limit: int) -> Packs:
    """Return documents as packs of at most `limit` tokens."""
    lengths = token_lengths(documents)
    return Packs(documents, best_fit_decreasing(lengths, limit), lengths)


def _pack_parts(documents: Dataset, limit: int, parts: Mapping[str, range]) -> tuple[Packs, dict[str, range]]:
    """Return documents of several data sets as packs of one each, and which packs are of each data set."""
    lengths = token_lengths(documents)
    numbers, packs, start = numpy.zeros(len(documents), dtype=numpy.int64), dict[str, range](), 0
    for name, rows in parts.items():
        own = best_fit_decreasing(lengths[rows.start : rows.stop], limit)
        numbers[rows.start : rows.stop] = numpy.asarray(own) + start
        packs[name] = range(start, start + int(max(own)) + 1)
        start = packs[name].stop
    return Packs(documents, numbers, lengths), packs


def pack_splits(job: Job, collate: CollateDocuments, limit: int, *, flat: bool) -> bool:
    """Replace the splits of a job by packs, in place, and set the model's attention.

    Returns:
        False, with a warning, where the model does not separate the documents of a pack; then nothing changes.
    """
    with untouched_random_state():
        reason = _on_first_rank(lambda: why_not_packed(job.model, collate), job.world)
        if reason is None and _on_first_rank(lambda: agrees_by_document(job.model, collate), job.world):
            attend_to_packs(job.model)
    job.data.stats["packed"] = reason is None
    if reason is not None:
        log.warning("packing is not used: %s. Batches are padded instead.", reason)
        return False
    for split in SPLITS:
        documents = getattr(job.data, split)
        # A flat row of several packs cannot be counted by an evaluation over several processes.
        if documents is None or (flat and split != "train"):
            continue
        if split in job.data.parts:
            packs, ranges = _pack_parts(documents, limit, job.data.parts[split])
            job.data.parts = {**job.data.parts, split: ranges}
        else:
            packs = pack_documents(documents, limit)
        setattr(job.data, split, packs)
        job.data.stats[f"{split}_packs"] = len(packs)
        message = "%s split: %d documents in %d packs of %d tokens, %.1f %% filled"
        filled = 100 * packs.lengths.sum() / (len(packs) * limit)
        log.info(message, split, len(documents), len(packs), limit, filled)
    for name, documents in () if flat else job.data.further.items():
        packs = pack_documents(documents, limit)
        job.data.further = {**job.data.further, name: packs}
        job.data.subsets.append((packs, job.data.split_of(documents)))
    return True


def fullest_packs(
    documents: Dataset, limit: int, collate: Callable[[list[dict[str, Any]]], dict[str, torch.Tensor]], rows: int
) -> dict[str, torch.Tensor]:
    """Return a batch of the packs with the most tokens: int64 tensors (rows, longest) `input_ids` and `labels`.

    Args:
        documents: of a split.
        limit: tokens of a pack.
        collate: packs -> batch.
        rows: packs in a batch.
    """
    packs = pack_documents(documents, limit)
    fullest = (-packs.lengths).argsort(kind="stable")[:rows]
    batch = collate([packs[int(number)] for number in fullest])
    return {name: batch[name] for name in ("input_ids", "labels")}


def _on_first_rank(compute: Callable[[], ResultT], world: World) -> ResultT:
    """Return rank 0's result on every rank: under sharding the others may not have weights yet."""
    if world.size == 1 or not distributed.is_initialized():
        return compute()
    answer = [compute() if world.is_main else None]
    distributed.broadcast_object_list(answer, src=0, device=torch.device(world.device))
    result: ResultT = answer[0]  # type: ignore[assignment]
    return result
