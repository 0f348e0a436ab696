"""The key of what a frozen part makes of rows: its weights, classes and settings, the rows, and what is kept."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

import torch
import xxhash
from torch import nn

from adapt_core.hf.decisions.names import KEPT
from adapt_core.hf.frozen.replay import Recorded

_VERSION = 1
"""Raise it where this package keeps other values for the same key."""

_OF_THE_HEAD = ("id2label", "label2id", "num_labels", "_name_or_path", "architectures", "problem_type", *KEPT)


def frozen_key(model: nn.Module, recorded: Recorded, settings: Sequence[object]) -> str:
    """Return the key of a frozen part.

    Args:
        model: whole.
        recorded: what is kept of it.
        settings: what else its outputs depend on, JSON-ready.
    """
    names = {module: name for name, module in model.named_modules()}
    config: Any = getattr(model, "config", None)
    plain = config.to_dict() if hasattr(config, "to_dict") else {}
    described = [
        _VERSION,
        f"{type(model).__module__}.{type(model).__qualname__}",
        {name: value for name, value in plain.items() if name not in _OF_THE_HEAD},
        str(getattr(config, "_attn_implementation", None)),
        [(names[module], repr(module)) for module in recorded.modules],
        [(kept.place, kept.form, kept.rest, str(kept.dtype)) for kept in recorded.kept],
        {name: getattr(sys.modules[name], "__version__", "") for name in _LIBRARIES if name in sys.modules},
        list(settings),
    ]
    digest = xxhash.xxh3_128(json.dumps(described, sort_keys=True, default=str).encode())
    for name, tensor in _tensors(model, recorded):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


_LIBRARIES = ("torch", "transformers", "timm", "peft")


def _tensors(model: nn.Module, recorded: Recorded) -> list[tuple[str, torch.Tensor]]:
    """Return the frozen parameters, and the buffers of the frozen part."""
    found = [(name, parameter) for name, parameter in model.named_parameters() if not parameter.requires_grad]
    frozen = set(recorded.modules)
    for name, module in model.named_modules():
        if module in frozen:
            found += [(f"{name}.{own}", buffer) for own, buffer in module.named_buffers()]
    return found  # type: ignore[return-value]
