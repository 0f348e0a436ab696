"""Whether a model keeps the documents of a pack apart: asked of the very model, with two small packs."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from adapt_nlp.text_generation.attention import attend_as_before, attend_to_packs, without_adapter

_LENGTH = 8
_LEAK = {torch.float32: 1e-4}
_LEAK_ROUNDED = 2e-2
"""Largest difference, over the largest logit, of a document behind one neighbour and behind another."""
_MOVED = 5e-2
"""The same of a document in a pack and alone."""


def why_not_packed(model: nn.Module, collate: Callable[[list[Any]], dict[str, torch.Tensor]]) -> str | None:
    """Why packs would change what a model learns, or None.

    Three forward passes' worth of work on 40 tokens, without gradients; the model is left as it was.

    Args:
        model: plain or attached, on any device.
        collate: what makes batches of packs.
    """
    plain = without_adapter(model)
    if "position_ids" not in inspect.signature(plain.forward).parameters:
        return f"{type(plain).__name__} takes no position_ids"
    first, second, last = _documents(model)
    try:
        both = _logits(model, collate([_pack(first, last), _pack(second, last)]))
        alone = _logits(model, collate([_pack(last)]))
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        # Whatever a model of someone else's raises: it was not made for packs.
        return f"{type(plain).__name__} refuses packs ({' '.join(str(error).split())[:120]})"
    behind_first, behind_second = both[_LENGTH : 2 * _LENGTH], both[3 * _LENGTH :]
    scale = float(alone.abs().max()) or 1.0
    leak = float((behind_first - behind_second).abs().max()) / scale
    moved = float((behind_first - alone).abs().max()) / scale
    if not leak <= _LEAK.get(next(model.parameters()).dtype, _LEAK_ROUNDED):
        return f"{type(plain).__name__} lets documents of a pack see one another (logits differ by {leak:.2g})"
    if not moved <= _MOVED:
        return f"{type(plain).__name__} reads a document in a pack otherwise than alone (logits differ by {moved:.2g})"
    return None


def agrees_by_document(model: nn.Module, collate: Callable[[list[Any]], dict[str, torch.Tensor]]) -> bool:
    """Whether the model reads packs the same when it attends to them document by document; False where it cannot.

    The model is left as it was. Masks of a model's own, which that attention would not see, show here.

    Args:
        model: one that `why_not_packed` has nothing against.
        collate: what makes batches of packs.
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
    allowed = _LEAK.get(next(model.parameters()).dtype, _LEAK_ROUNDED) * float(masked.abs().max())
    return bool((masked - apart).abs().max() <= allowed)


def _documents(model: nn.Module) -> list[list[int]]:
    words = without_adapter(model).config.get_text_config().vocab_size
    return [[(step * n + step) % words for n in range(_LENGTH)] for step in (3, 7, 5)]


def _pack(*documents: list[int]) -> dict[str, list[int]]:
    ids = [token for document in documents for token in document]
    places = [place for document in documents for place in range(len(document))]
    return {"input_ids": ids, "labels": ids, "position_ids": places}


def _logits(model: nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """(tokens of all rows, vocabulary), as the model evaluates."""
    takes = inspect.signature(without_adapter(model).forward).parameters
    options = {"use_cache": False} if "use_cache" in takes else {}
    device = next(model.parameters()).device
    inputs = {name: tensor.to(device) for name, tensor in batch.items() if name != "labels"}
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            logits: torch.Tensor = model(**inputs, **options).logits
    finally:
        model.train(training)
    return logits.float().flatten(0, 1)
