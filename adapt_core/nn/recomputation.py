"""What GRADIENT_CHECKPOINTING computes again: whole blocks, or all of them but attention (KEEP_ATTENTION).

Of what a block computes, attention takes the most time for the bytes of its result: for each number as many
multiplications as there are tokens, where a product of matrices has as many as the layer has inputs. To keep it is the
selective recomputation of Korthikanti et al., 2022 (https://arxiv.org/abs/2205.05198) turned round: theirs keeps the
products, since plain attention holds a number for each pair of tokens; torch's fused kernels hold none.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from torch.utils.checkpoint import CheckpointPolicy, create_selective_checkpoint_contexts

_FUSED = ("scaled_dot_product", "flash_attn")


def is_attention(operator: Any) -> bool:
    """Return whether a torch operator is a fused kernel of attention."""
    return any(name in str(operator) for name in _FUSED)


def _policy(_context: object, operator: Any, *_: object, **__: object) -> CheckpointPolicy:
    return CheckpointPolicy.MUST_SAVE if is_attention(operator) else CheckpointPolicy.PREFER_RECOMPUTE


def attention_kept() -> tuple[AbstractContextManager[Any], AbstractContextManager[Any]]:
    """Return the contexts of a block's forward pass and of its recomputation, for torch's checkpoint function."""
    make: Any = create_selective_checkpoint_contexts
    forward, recomputation = make(_policy)
    return forward, recomputation


CHECKPOINT_OPTIONS: dict[str, Any] = {"use_reentrant": False, "context_fn": attention_kept}
"""The options of torch's checkpoint function by which blocks keep the results of attention."""
