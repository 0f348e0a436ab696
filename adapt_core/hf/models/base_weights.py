"""What a checkpoint must hold: each tensor of the base model, in the shape of config.json.

A head alone may be new, and not one that writes words: it was learned with the base.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from adapt_core.errors import InputError, first_of
from adapt_core.hf.models.checkpoint import common_prefixes

if TYPE_CHECKING:
    from torch import nn

_NAMED = 3
_STATISTICS = (".running_mean", ".running_var")
_OPTIONAL = re.compile(r"(^|\.)pooler\.")
"""A pooler is on top of a base model and part of its class: checkpoints of language models come without."""


def wrapper_prefix(model: nn.Module, info: Mapping[str, Any]) -> str | None:
    """Return what a training script put before every name of a checkpoint (DDP `module.`), or None.

    Args:
        model: what `from_pretrained` returned. Its `base_model_prefix` is absent in the names of a base model alone.
        info: the loading info of `from_pretrained`.
    """
    unexpected, missing = list(info["unexpected_keys"]), set(info["missing_keys"])
    if not unexpected or 2 * len(missing) < len(list(model.parameters())):
        return None
    base_prefix = getattr(model, "base_model_prefix", "")
    for prefix in common_prefixes(unexpected):
        plain = {name.removeprefix(prefix) for name in unexpected}
        if missing & (plain | {f"{base_prefix}.{name}" for name in plain}):
            return prefix
    return None


def require_base(
    model: nn.Module, absent: Iterable[str], shapes: Mapping[str, str], given: str, allowed: Iterable[str] | None
) -> None:
    """Check that only a head starts from random values.

    Args:
        model: loaded.
        absent: names of the tensors that the checkpoint lacks or has in another shape.
        shapes: those of another shape -> both shapes, for the message.
        given: the model as the user wrote it.
        allowed: NEW_WEIGHTS: patterns of names that may be new.

    Raises:
        InputError: a tensor of the base is absent, with its name.
    """
    from adapt_core.nn.structure import find_head

    output = getattr(model, "get_output_embeddings", lambda: None)()
    words = tuple(f"{name}." for name, module in model.named_modules() if output is not None and module is output)
    heads = (f"{name}." for name in find_head(model))
    head = tuple(name for name in heads if not any(word.startswith(name) for word in words))
    learned = {name for name, _ in model.named_parameters(remove_duplicate=False)}
    patterns = list(allowed or ())
    lacking = sorted(
        name
        for name in absent
        if (name in learned or name.endswith(_STATISTICS))
        and (name.startswith(words) or not name.startswith(head))
        and not _OPTIONAL.search(name)
        and not any(fnmatchcase(name, pattern) for pattern in patterns)
    )
    if not lacking:
        return
    shown = first_of([f"{name} ({shapes[name]})" if name in shapes else name for name in lacking], _NAMED)
    raise InputError(
        f"MODEL_PATH: the weights of {given} lack {len(lacking)} tensors of {type(model).__name__}, or have them in "
        f"another shape: {shown}. They would start from random values. Is its config.json that of these weights? "
        "Name tensors that are meant to be new: --set NEW_WEIGHTS='[PATTERN]'"
    )


def shape_differences(info: Mapping[str, Any]) -> dict[str, str]:
    """Return the tensors that a checkpoint has in another shape -> both shapes, from the info of `from_pretrained`."""
    return {
        name: f"{list(found)} in the file, {list(wanted)} by config.json"
        for name, found, wanted in info["mismatched_keys"]
    }
