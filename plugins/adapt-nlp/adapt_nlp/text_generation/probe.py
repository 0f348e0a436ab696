"""A probe of whether a model separates the documents of a pack, with two small packs."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from adapt_nlp.probes import REFUSALS, ask
from adapt_nlp.text_generation.attention import attend_as_before, attend_to_packs, base_model

_LENGTH = 8
_LEAK = {torch.float32: 1e-4}
"""The largest difference, relative to the largest logit, of a document after one neighbour and after another."""

_LEAK_HALF_PRECISION = 2e-2
_SHIFT = 5e-2
"""The same for a document in a pack and alone."""

Collate = Callable[[list[Any]], dict[str, torch.Tensor]]


def why_not_packed(model: nn.Module, collate: Collate) -> str | None:
    """Return why packs would change what a model learns, or None.

    Costs forward passes over 40 tokens, without gradients. The model is unchanged afterwards.

    Args:
        model: plain or with an adapter, on any device.
        collate: packs -> batch.
    """
    plain = base_model(model)
    if "position_ids" not in inspect.signature(plain.forward).parameters:
        return f"{type(plain).__name__} takes no position_ids"
    first, second, last = _documents(model)
    try:
        both = _logits(model, collate([_pack(first, last), _pack(second, last)]))
        alone = _logits(model, collate([_pack(last)]))
    except REFUSALS as error:
        return f"{type(plain).__name__} rejects packs ({' '.join(str(error).split())[:120]})"
    after_first, after_second = both[_LENGTH : 2 * _LENGTH], both[3 * _LENGTH :]
    scale = float(alone.abs().max()) or 1.0
    leak = float((after_first - after_second).abs().max()) / scale
    shift = float((after_first - alone).abs().max()) / scale
    if not leak <= _LEAK.get(next(model.parameters()).dtype, _LEAK_HALF_PRECISION):
        return f"{type(plain).__name__} lets documents of a pack attend to one another (logits differ by {leak:.2g})"
    if not shift <= _SHIFT:
        return f"{type(plain).__name__} computes other logits for a document in a pack than alone (by {shift:.2g})"
    return None


def agrees_by_document(model: nn.Module, collate: Collate) -> bool:
    """Return whether a model computes the same logits with attention within each document.

    False where it cannot attend so. A model's own masks, which that attention would ignore, are detected here. The
    model is unchanged afterwards.

    Args:
        model: one for which `why_not_packed` returns None.
        collate: packs -> batch.
    """
    first, second, last = _documents(model)
    packs = [_pack(first, last), _pack(second, last, first)]
    if not attend_to_packs(model):
        return False
    try:
        apart = _logits(model, collate(packs))
    finally:
        attend_as_before(model)
    masked = _logits(model, collate(packs))
    allowed = _LEAK.get(next(model.parameters()).dtype, _LEAK_HALF_PRECISION) * float(masked.abs().max())
    return bool((masked - apart).abs().max() <= allowed)


def _documents(model: nn.Module) -> list[list[int]]:
    words = base_model(model).config.get_text_config().vocab_size
    return [[(step * n + step) % words for n in range(_LENGTH)] for step in (3, 7, 5)]


def _pack(*documents: list[int]) -> dict[str, list[int]]:
    ids = [token for document in documents for token in document]
    positions = [position for document in documents for position in range(len(document))]
    return {"input_ids": ids, "labels": ids, "position_ids": positions}


def _logits(model: nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Return the logits of a batch in evaluation mode: (tokens of all rows, vocabulary)."""
    accepted = inspect.signature(base_model(model).forward).parameters
    options = {"use_cache": False} if "use_cache" in accepted else {}
    inputs = {name: tensor for name, tensor in batch.items() if name != "labels"}
    logits: torch.Tensor = ask(model, inputs, **options).logits
    return logits.float().flatten(0, 1)
