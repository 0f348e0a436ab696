"""Attention within each document of a pack, for CPUs without flash attention.

transformers separates the documents of a pack by a mask of the pack's length squared, so that attention costs as much
as for one long document. Here the same kernel is called for each document: the cost of a batch without padding.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import pairwise
from typing import Any

import torch
from torch import nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from adapt_core.config.plan import Plan
from adapt_core.distributed.devices import first_device

BY_DOCUMENT = "sdpa_by_document"
"""The name of this attention in transformers (`model.set_attn_implementation`)."""

_JOINED = "sdpa_joined"


def attend_by_document(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """Return transformers' sdpa attention of each document of a pack.

    Args:
        module: the attention layer.
        query, key, value: (rows, heads, tokens, head dimension).
        attention_mask: where given, it alone decides what is attended to.
        options: those of `sdpa_attention_forward`; `position_ids` (rows, tokens) restart with each document.

    Returns:
        ((rows, tokens, heads, head dimension), None for the attention weights).
    """
    positions = options.get("position_ids")
    lengths = None
    if attention_mask is None and positions is not None and positions.dim() == 2 and query.shape[2] == key.shape[2]:
        lengths = [_lengths(row) for row in positions.expand(query.shape[0], -1)]
    if lengths is None or all(len(row) == 1 for row in lengths):
        attended: tuple[torch.Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, **options
        )
        return attended
    # torch.split, because the gradient of each slice would be a tensor of the pack's length.
    documents = [
        sdpa_attention_forward(module, q, k, v, None, **options)[0]
        for row, sizes in enumerate(lengths)
        for q, k, v in zip(*(torch.split(x[row : row + 1], sizes, 2) for x in (query, key, value)), strict=True)
    ]
    return torch.cat(documents, 1).view(query.shape[0], query.shape[2], *documents[0].shape[2:]), None


def _lengths(positions: torch.Tensor) -> list[int]:
    """Return the tokens of each document of a row."""
    starts = (positions.diff() != 1).nonzero().flatten() + 1
    borders = [0, *starts.tolist(), len(positions)]
    return [after - before for before, after in pairwise(borders)]


def _mask(*arguments: Any, **options: Any) -> torch.Tensor | None:
    """Return None where the positions suffice: complete rows, no padding, and no sliding window shorter than them."""
    window = options.get("local_size")
    whole = options["q_length"] == options["kv_length"] and (window is None or window >= options["kv_length"])
    if whole and options.get("attention_mask") is None:
        return None
    mask: torch.Tensor | None = sdpa_mask(*arguments, **options)
    return mask


def base_model(model: nn.Module) -> Any:
    """Return the transformers model inside a peft model, or the model itself."""
    unwrap = getattr(model, "get_base_model", None)
    return unwrap() if callable(unwrap) else model


def attends_by_document(model: nn.Module) -> bool:
    """Return whether a model attends within each document."""
    return bool(base_model(model).config._attn_implementation == BY_DOCUMENT)


def attend_to_packs(model: nn.Module) -> bool:
    """Switch a model that uses sdpa on a CPU to attention within each document. Return whether it attends so.

    On accelerators many small kernels cost more than the mask, and flash attention takes packs.
    """
    plain = base_model(model)
    if plain.config._attn_implementation == "sdpa" and next(model.parameters()).device.type == "cpu":
        AttentionInterface.register(BY_DOCUMENT, attend_by_document)
        AttentionMaskInterface.register(BY_DOCUMENT, _mask)
        plain.set_attn_implementation(BY_DOCUMENT)
    return attends_by_document(model)


def attend_as_before(model: nn.Module) -> None:
    """Undo `attend_to_packs`."""
    base_model(model).set_attn_implementation("sdpa")


@contextmanager
def documents_joined(plan: Plan, model: nn.Module, around: AbstractContextManager[None] | None) -> Iterator[None]:
    """Within the context, a model that uses sdpa keeps for the backward pass what it keeps of packs on a CPU.

    Without values nothing tells where documents end. Of all documents together their kernels keep what one of the
    pack's length would; what follows keeps the joined results, where one document's are no other tensor.

    Args:
        plan: of the run; where it does not train on a CPU nothing changes.
        model: on "meta", too.
        around: another context, or None.
    """
    plain = base_model(model)
    with around or nullcontext():
        if plain.config._attn_implementation != "sdpa" or first_device(plan) != "cpu":
            yield
            return
        AttentionInterface.register(_JOINED, _joined)
        AttentionMaskInterface.register(_JOINED, _mask)
        plain.set_attn_implementation(_JOINED)
        try:
            yield
        finally:
            attend_as_before(model)


def _joined(*arguments: Any, **options: Any) -> tuple[torch.Tensor, None]:
    attended: torch.Tensor = sdpa_attention_forward(*arguments, **options)[0]
    return attended.clone(), None
