"""Attention over a pack as over its documents one by one, on devices without flash attention.

transformers keeps the documents of a pack apart by a mask of the pack's length squared, so attention would cost what
one long document costs. Here each document is attended to alone, by the same kernel: the cost of a batch without
padding.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch import nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

BY_DOCUMENT = "sdpa_by_document"
"""The name under which transformers knows this attention (`model.set_attn_implementation`)."""


def attend_by_document(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """transformers' sdpa attention, for each document of a pack by itself.

    Args:
        module: the attention layer.
        query, key, value: (rows, heads, tokens, width of a head).
        attention_mask: where there is one, it alone decides what is seen.
        options: those of `sdpa_attention_forward`; `position_ids` (rows, tokens) start anew with each document.

    Returns:
        (rows, tokens, heads, width of a head), and no attention weights.
    """
    places = options.get("position_ids")
    lengths = None
    if attention_mask is None and places is not None and places.dim() == 2 and query.shape[2] == key.shape[2]:
        lengths = [_lengths(row) for row in places.expand(query.shape[0], -1)]
    if lengths is None or all(len(row) == 1 for row in lengths):
        attended: tuple[torch.Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, **options
        )
        return attended
    # Split, because the gradient of slices would fill a tensor of the pack's length for each document.
    documents = [
        sdpa_attention_forward(module, q, k, v, None, **options)[0]
        for row, parts in enumerate(lengths)
        for q, k, v in zip(*(torch.split(x[row : row + 1], parts, 2) for x in (query, key, value)), strict=True)
    ]
    return torch.cat(documents, 1).view(query.shape[0], query.shape[2], *documents[0].shape[2:]), None


def _lengths(places: torch.Tensor) -> list[int]:
    """Tokens of each document of a row."""
    starts = (places.diff() != 1).nonzero().flatten() + 1
    borders = [0, *starts.tolist(), len(places)]
    return [after - before for before, after in pairwise(borders)]


def _mask(*arguments: Any, **options: Any) -> torch.Tensor | None:
    """None where positions say it all: whole rows, nothing padded, and no window within them."""
    window = options.get("local_size")
    whole = options["q_length"] == options["kv_length"] and (window is None or window >= options["kv_length"])
    if whole and options.get("attention_mask") is None:
        return None
    mask: torch.Tensor | None = sdpa_mask(*arguments, **options)
    return mask


def without_adapter(model: nn.Module) -> Any:
    """The model of transformers inside of an adapter's, or the model itself."""
    unwrap = getattr(model, "get_base_model", None)
    return unwrap() if callable(unwrap) else model


def attends_by_document(model: nn.Module) -> bool:
    """Whether the attention is on."""
    return bool(without_adapter(model).config._attn_implementation == BY_DOCUMENT)


def attend_to_packs(model: nn.Module) -> bool:
    """Turns the attention on where the model uses sdpa on a CPU, and says whether it is on.

    Accelerators have flash attention for packs, and many small kernels would cost them more than the mask.
    """
    plain = without_adapter(model)
    if plain.config._attn_implementation == "sdpa" and next(model.parameters()).device.type == "cpu":
        AttentionInterface.register(BY_DOCUMENT, attend_by_document)
        AttentionMaskInterface.register(BY_DOCUMENT, _mask)
        plain.set_attn_implementation(BY_DOCUMENT)
    return attends_by_document(model)


def attend_as_before(model: nn.Module) -> None:
    """Takes `attend_to_packs` back."""
    without_adapter(model).set_attn_implementation("sdpa")
