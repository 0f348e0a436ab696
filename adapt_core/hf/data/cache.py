"""Preprocessing that is done once: mapped data sets in a cache that later runs find again.

The key is of our own making (the data's fingerprint, the tokenizer's content, the parameters), because the automatic
one hashes a tokenizer's changing inner state and so misses.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xxhash

if TYPE_CHECKING:
    from datasets import Dataset

log = logging.getLogger(__name__)


def cached_map(
    dataset: Dataset, function: Callable[[dict[str, list[Any]]], dict[str, Any]], key: Mapping[str, Any], what: str
) -> Dataset:
    """Maps batches of rows, or takes the result of an earlier run.

    Args:
        dataset: the rows.
        function: batch of columns -> batch of new columns (the old ones are dropped).
        key: everything besides the rows that the result depends on, JSON-ready.
        what: for the log ("train split tokenized").
    """
    fingerprint = _digest(json.dumps([dataset._fingerprint, key], sort_keys=True))
    folder = _folder()
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{fingerprint}.arrow"
    found = file.exists()
    mapped = dataset.map(
        function,
        batched=True,
        remove_columns=dataset.column_names,
        new_fingerprint=fingerprint,
        cache_file_name=str(file),
    )
    log.info("%s: %d rows%s", what, len(mapped), " (from the cache)" if found else "")
    return mapped


def _folder() -> Path:
    from datasets import config

    return Path(config.HF_DATASETS_CACHE) / "adapt"


def tokenizer_key(tokenizer: Any) -> str:
    """A fingerprint of what a tokenizer does. Take it before the tokenizer is first called."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:
        return _digest(backend.to_str())
    return _digest(json.dumps([str(tokenizer.init_kwargs), sorted(tokenizer.get_vocab().items())]))


def _digest(text: str) -> str:
    return xxhash.xxh3_128_hexdigest(text.encode())
