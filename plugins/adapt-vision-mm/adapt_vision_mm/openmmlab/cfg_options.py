"""`cfg_options`: a user's changes to an OpenMMLab config. A path that does not exist in the config is an error."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from adapt_core.errors import InputError

if TYPE_CHECKING:
    from mmengine.config import Config

Options = Mapping[str, object] | bool | None


def flatten(options: Options) -> dict[str, object]:
    """Return the options by dotted path. True, False and None mean none."""
    if options is None or isinstance(options, bool):
        return {}
    flat: dict[str, object] = {}
    for key, value in options.items():
        if isinstance(value, Mapping):
            flat.update({f"{key}.{name}": item for name, item in flatten(value).items()} or {str(key): {}})
        else:
            flat[str(key)] = value
    return flat


def apply(config: Config, options: Options) -> None:
    """Merge the options into a config.

    Raises:
        InputError: a path does not exist; the message has the nearest name. (The last name of a path may be new: a
            module may take arguments that its config does not list.)
    """
    flat = flatten(options)
    for path in flat:
        _require(config, path)
    if flat:
        config.merge_from_dict(flat, allow_list_keys=True)


def _require(config: Config, path: str) -> None:
    node: Any = dict(config.items())  # mmengine's Config is not a mapping itself
    names = path.split(".")
    for depth, name in enumerate(names):
        if depth and depth == len(names) - 1:
            return
        if isinstance(node, (list, tuple)) and name.isdigit() and int(name) < len(node):
            node = node[int(name)]
        elif isinstance(node, Mapping) and name in node:
            node = node[name]
        else:
            known = [str(key) for key in node] if isinstance(node, Mapping) else []
            near = get_close_matches(name, known, n=1)
            where = ".".join(names[:depth]) or "the config"
            hint = f" Did you mean {near[0]}?" if near else f" It has {', '.join(known[:8])}."
            raise InputError(f"cfg_options: {path}: {where} has no {name!r}.{hint} Correct the name.")
