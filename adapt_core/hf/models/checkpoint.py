"""MODEL_CHECKPOINT: a file or folder of weights, loaded over those of a model."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from adapt_core.errors import InputError, first_of
from adapt_core.nn.weights import read_state_dict

if TYPE_CHECKING:
    import torch
    from torch import nn

_FILES = ("model.safetensors", "model_state_dict.pt", "pytorch_model.bin")
_INDEXES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
_DEEPEST_WRAPPER = 3
_NAMED = 3

log = logging.getLogger(__name__)


def load_over(model: nn.Module, path: Path) -> frozenset[str]:
    """Load MODEL_CHECKPOINT over a model's weights, and return the names of its tensors.

    A checkpoint of the base model alone (`encoder.layer.0...`) is loaded below the head (`bert.encoder.layer.0...`).
    What a training script put before every name (`module.`) is left out, with a warning.

    Args:
        model: of any library.
        path: a file, or a folder with one or with the shards of an index.

    Raises:
        InputError: it cannot be read, or none of it fits.
    """
    path = path.expanduser()
    state = read_folder(path) if path.is_dir() else read_state_dict(path)
    own = model.state_dict()
    namings = _namings(state, getattr(model, "base_model_prefix", ""))
    prefix, named = max(namings, key=lambda naming: len(naming[1].keys() & own.keys()))
    fits = {
        name: state[given] for name, given in named.items() if name in own and own[name].shape == state[given].shape
    }
    if not fits:
        raise InputError(
            f"MODEL_CHECKPOINT: none of the {len(state)} tensors in {path} fits {type(model).__name__}."
            " Give a checkpoint of this model."
        )
    model.load_state_dict(fits, strict=False)
    if prefix:
        log.warning("MODEL_CHECKPOINT: the names in %s begin with %r, which is left out.", path, prefix)
    log.info("MODEL_CHECKPOINT: %d tensors loaded from %s", len(fits), path)
    left = sorted(named[name] for name in named.keys() - fits.keys())
    if left:
        log.warning(
            "MODEL_CHECKPOINT: %d of the %d tensors in %s are not in the model or have another shape there, and are "
            "not loaded: %s",
            *(len(left), len(state), path, first_of(left, _NAMED)),
        )
    return frozenset(fits)


def read_folder(folder: Path) -> dict[str, torch.Tensor]:
    """Return the state dict of a folder: one file, or the shards that an index lists.

    Raises:
        InputError: there are no weights, or they cannot be read.
    """
    single = next((folder / name for name in _FILES if (folder / name).exists()), None)
    if single is not None:
        return read_state_dict(single)
    index = next((folder / name for name in _INDEXES if (folder / name).exists()), None)
    if index is None:
        raise InputError(
            f"MODEL_CHECKPOINT: {folder} has none of {', '.join((*_FILES, *_INDEXES))}. Give one that has, or a file."
        )
    try:
        shards = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"MODEL_CHECKPOINT: {index} is not an index of weights ({error}). Copy it from the model again."
        ) from None
    state: dict[str, torch.Tensor] = {}
    for shard in shards:
        state.update(read_state_dict(folder / str(shard)))
    return state


def common_prefixes(names: Collection[str]) -> list[str]:
    """Return what begins every name, of one to three parts: "module.", "module.model."."""
    parts = min(names).split(".") if names else [""]
    prefixes = [".".join(parts[:depth]) + "." for depth in range(1, min(_DEEPEST_WRAPPER, len(parts) - 1) + 1)]
    return [prefix for prefix in prefixes if all(name.startswith(prefix) for name in names)]


def _namings(state: Mapping[str, object], base_prefix: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield what may be left out before every name, and the names that then result -> those in the checkpoint."""
    for prefix in ("", *common_prefixes(state)):
        plain = {name.removeprefix(prefix): name for name in state}
        yield prefix, plain
        yield prefix, {f"{base_prefix}.{name}": given for name, given in plain.items()}
