"""Keys whose value `auto` lets memory decide, as the keys that it stands for."""

from __future__ import annotations

from adapt_core.config.sections import Given
from adapt_core.errors import Problem

AUTO = "auto"
_RECOMPUTATION = {"keep_attention": "KEEP_ATTENTION", "recompute_mlp": "RECOMPUTE_MLP"}


def settle_fitted(given: dict[str, Given]) -> list[Problem]:
    """Replace BATCH_SIZE: auto and GRADIENT_CHECKPOINTING: auto in place, and return what contradicts them.

    With BATCH_SIZE: auto a step learns from as many rows as by default, and memory decides how many come at a time.

    Args:
        given: folded key -> what was given.
    """
    _replace(given, "batch_size", "FIT_BATCH_SIZE")
    if not _replace(given, "gradient_checkpointing", "FIT_RECOMPUTATION"):
        return []
    message = "is for GRADIENT_CHECKPOINTING: auto to choose."
    return [
        Problem(message, key=item.written, where=item.where, hint=f"Remove {key}, or GRADIENT_CHECKPOINTING: auto.")
        for folded, key in _RECOMPUTATION.items()
        if (item := given.get(folded)) is not None
    ]


def _replace(given: dict[str, Given], folded: str, key: str) -> bool:
    item = given.get(folded)
    if item is None or str(item.value).strip().casefold() != AUTO:
        return False
    del given[folded]
    given[key.casefold()] = Given(key.casefold(), key, True, item.where)
    return True
