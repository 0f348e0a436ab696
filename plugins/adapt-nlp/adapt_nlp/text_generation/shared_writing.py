"""Texts written by the processes of a run together; each has all of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

import torch
from torch import distributed

from adapt_core.distributed.sharding import is_sharded
from adapt_core.distributed.world import World
from adapt_core.nn.random_state import untouched_random_state

from adapt_nlp.text_generation.alike import Writer

ResultT = TypeVar("ResultT")


def write_texts(writer: Writer, rows: Sequence[list[int]], world: World) -> list[str]:
    """Return the text that a model writes behind each row of tokens, the one that `generate` writes for it alone.

    Complete copies of a model (DDP) share the batches out. Where each process holds a part of the weights (FSDP), all
    write all texts, for a forward pass needs every process; rank 0 decides what is written again.

    Args:
        writer: with the model.
        rows: tokens of the prompts, at least one row.
        world: this process among those of the run. Every process must call this.
    """
    sharded = world.size > 1 and any(is_sharded(parameter) for parameter in writer.model.parameters())
    shares = world.size > 1 and not sharded
    batches = writer.batches(rows)
    with untouched_random_state():
        own = batches[world.rank :: world.size] if shares else batches
        found = _write(writer, rows, own, world if sharded else None)
    if not shares:
        return [found[number] for number in range(len(rows))]
    parts: list[dict[int, str]] = [{} for _ in range(world.size)]
    distributed.all_gather_object(parts, found)
    merged = {number: text for part in parts for number, text in part.items()}
    return [merged[number] for number in range(len(rows))]


def _write(
    writer: Writer, rows: Sequence[list[int]], batches: Sequence[list[int]], sharded: World | None
) -> dict[int, str]:
    """Return the texts of the rows of some batches, by their numbers.

    Args:
        writer, rows: those of `write_texts`.
        batches: numbers of rows.
        sharded: the process, where all of them write the same batches.
    """
    least = math.inf
    if any(len(batch) > 1 for batch in batches):
        least = _agreed(lambda: writer.difference(rows), sharded)
    found = {}
    for batch in batches:
        texts: list[str | None] = [None] * len(batch)
        if len(batch) > 1 and math.isfinite(least):
            tried = partial(writer.together, [rows[number] for number in batch], least)
            texts = _agreed(tried, sharded)
            if 2 * texts.count(None) > len(batch):
                least = math.inf  # what is left is written alone: trying first would take longer
        for number, text in zip(batch, texts, strict=True):
            found[number] = writer.alone(rows[number], number) if text is None else text
    return found


def _agreed(compute: Callable[[], ResultT], sharded: World | None) -> ResultT:
    """Return what every process computes; where they compute it together, rank 0's."""
    answer = [compute()]
    if sharded is not None:
        distributed.broadcast_object_list(answer, src=0, device=torch.device(sharded.device))
    return answer[0]
