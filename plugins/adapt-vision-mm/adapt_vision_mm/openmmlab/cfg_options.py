"""`cfg_options`: a user's changes to an OpenMMLab config. A path that the config does not have is refused."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from adapt_core.errors import InputError


def dotted(options: Any) -> dict[str, Any]:
    """The options by dotted path. True, False and None mean none."""
    if options is None or isinstance(options, bool):
        return {}
    flat: dict[str, Any] = {}
    for key, value in options.items():
        if isinstance(value, Mapping):
            flat.update({f"{key}.{name}": item for name, item in dotted(value).items()} or {str(key): {}})
        else:
            flat[str(key)] = value
    return flat


def apply(config: Any, options: Any) -> None:
    """Merges the options into a config.

    Raises:
        InputError: a path leads nowhere, with the nearest name. (The last name of a path may be new: a module may
            take arguments that its config does not write out.)
    """
    flat = dotted(options)
    for path in flat:
        _require(config, path)
    if flat:
        config.merge_from_dict(flat, allow_list_keys=True)


def _require(config: Any, path: str) -> None:
    node: Any = dict(config.items())  # mmengine's Config is no mapping itself
    parts = path.split(".")
    for depth, part in enumerate(parts):
        if depth and depth == len(parts) - 1:
            return
        if isinstance(node, (list, tuple)) and part.isdigit() and int(part) < len(node):
            node = node[int(part)]
        elif isinstance(node, Mapping) and part in node:
            node = node[part]
        else:
            names = [str(key) for key in node] if isinstance(node, Mapping) else []
            near = get_close_matches(part, names, n=1)
            where = ".".join(parts[:depth]) or "the config"
            hint = f" Did you mean {near[0]}?" if near else f" It has {', '.join(names[:8])}."
            raise InputError(f"cfg_options: {path}: {where} has no {part!r}.{hint}")
