"""Starts of LoRA that move a part of the base weights into the adapter, and their adapters on the untouched base.

Behind such a start (pissa, olora) the base has the weight W0 - s B0 A0, and the model computes with
W0 + s (B A - B0 A0).
Peft makes the start anew where it loads the adapter, and a start that is drawn (pissa_niter_N) is another one then.
A saved adapter is therefore a plain one of twice the rank: [B, -B0] and [A, A0], which needs no start. On a base in
half precision W0 - s B0 A0 is rounded to its type, so that this adapter on the published base is the trained model up
to that rounding.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping

import torch
from peft import LoraConfig

_DOWN, _UP = (".lora_A.", ".lora_embedding_A"), (".lora_B.", ".lora_embedding_B")

Factors = dict[str, torch.Tensor]
"""Names in the state dict of an adapter -> the factors A and B of its layers."""


def factors(state: Mapping[str, torch.Tensor]) -> Factors:
    """Return copies on the CPU of the low-rank factors in the state dict of an adapter."""
    return {name: tensor.detach().cpu().clone() for name, tensor in state.items() if _is(name, (*_DOWN, *_UP))}


def relative_to_base(state: Mapping[str, torch.Tensor], start: Factors, config: LoraConfig) -> dict[str, torch.Tensor]:
    """Return a trained adapter's state dict as that of a plain adapter on the untouched base.

    Args:
        state: of the trained adapter.
        start: its factors before training.
        config: of the trained adapter, for its scale.
    """
    # With the scale alpha / sqrt(r), twice the rank and twice alpha make the scale larger by sqrt(2).
    scale = 1 / math.sqrt(2) if config.use_rslora else 1.0
    plain = {name: tensor.detach().cpu() for name, tensor in state.items()}
    for name, first in start.items():
        last = plain[name]
        first = first.to(last.dtype)
        plain[name] = (
            torch.cat([last, first], dim=0) if _is(name, _DOWN) else scale * torch.cat([last, -first], dim=1)
        ).contiguous()
    return plain


def plain_config(config: LoraConfig) -> LoraConfig:
    """Return the config of `relative_to_base`'s adapter."""
    plain = copy.deepcopy(config)
    plain.init_lora_weights = True
    plain.r, plain.lora_alpha = 2 * config.r, 2 * config.lora_alpha
    plain.rank_pattern = {pattern: 2 * r for pattern, r in (config.rank_pattern or {}).items()}
    plain.alpha_pattern = {pattern: 2 * alpha for pattern, alpha in (config.alpha_pattern or {}).items()}
    return plain


def _is(name: str, kinds: tuple[str, ...]) -> bool:
    return any(kind in name for kind in kinds)
