"""The state that each optimizer keeps for a parameter, as torch, transformers and bitsandbytes make it."""

from __future__ import annotations

import math
from collections.abc import Sequence

_PLAIN_STATES = {"adamw_torch": 2, "adamw_torch_fused": 2, "sgd": 0, "adagrad": 1, "rmsprop": 1}
"""States of the parameter's own type; with them goes a step counter of 4 bytes."""

_FLOAT32_STATES = {"paged_adamw_32bit": 2, "lion_32bit": 1, "paged_lion_32bit": 1, "ademamix": 3}
_FLOAT32_STATES["paged_ademamix_32bit"] = 3

_BYTE_STATES = {"adamw_8bit": 2, "paged_adamw_8bit": 2, "lion_8bit": 1, "paged_lion_8bit": 1}
_BYTE_STATES |= {"ademamix_8bit": 3, "paged_ademamix_8bit": 3}

_KNOWN = {"adafactor", *_PLAIN_STATES, *_FLOAT32_STATES, *_BYTE_STATES}

_SMALLEST_IN_BYTES = 4096
"""Elements below which bitsandbytes keeps float32 states."""

_BLOCK = 256
_TABLE = 4 * 256


def state_bytes(optimizer: str, shape: Sequence[int], itemsize: int, embedding: bool) -> int:
    """Return bytes of an optimizer's state for one parameter.

    Args:
        optimizer: an OPTIMIZER; one that is not in the tables counts as AdamW.
        shape: of the parameter.
        itemsize: bytes of one of its elements.
        embedding: whether it is an embedding's weight, for which transformers keeps float32 states under Adam.
    """
    count = math.prod(shape)
    if optimizer in _PLAIN_STATES or optimizer not in _KNOWN:
        states = _PLAIN_STATES.get(optimizer, _PLAIN_STATES["adamw_torch"])
        return states * count * itemsize + (4 if states else 0)
    if optimizer == "adafactor":
        # Rows and columns of the second moment, in float32; a vector has it whole.
        return 4 * (count // shape[-1] + count // shape[-2]) if len(shape) >= 2 else 4 * count
    if optimizer in _FLOAT32_STATES:
        return _FLOAT32_STATES[optimizer] * 4 * count
    states = _BYTE_STATES[optimizer]
    if count < _SMALLEST_IN_BYTES or embedding:
        return states * 4 * count
    tables = min(states, 2)
    return states * (count + 4 * math.ceil(count / _BLOCK)) + tables * _TABLE
