"""Mapped data sets in a cache that later runs reuse.

The cache key is explicit (the data's fingerprint, the tokenizer's content, the parameters). The automatic key of
datasets hashes a tokenizer's mutable state, so it misses.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xxhash

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

Batch = Mapping[str, Sequence[Any]]
"""Rows as columns: name -> one value a row."""

Encode = Callable[[Batch, Sequence[int]], Mapping[str, Sequence[Any]]]
"""(a batch of rows, their numbers from 0) -> new columns. A row may become several rows, or none."""

log = logging.getLogger(__name__)


def cached_map(dataset: Dataset, encode: Encode, key: Mapping[str, object], description: str) -> Dataset:
    """Return the encoded rows, from an earlier run's cache where it has them.

    Args:
        dataset: the rows.
        encode: applied to batches of rows; its columns replace the old ones.
        key: everything but the rows that the result depends on, JSON-ready.
        description: for the log ("train split tokenized").
    """
    fingerprint = _digest(json.dumps([dataset._fingerprint, key], sort_keys=True))
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{fingerprint}.arrow"
    cached = file.exists()
    mapped = dataset.map(
        encode,
        batched=True,
        with_indices=True,
        remove_columns=dataset.column_names,
        new_fingerprint=fingerprint,
        cache_file_name=str(file),
    )
    log.info("%s: %d rows%s", description, len(mapped), " (from the cache)" if cached else "")
    return mapped


def cache_folder() -> Path:
    """Return the folder of what adapt keeps between runs."""
    from datasets import config

    return Path(config.HF_DATASETS_CACHE) / "adapt"


def tokenizer_key(tokenizer: PreTrainedTokenizerBase) -> str:
    """Return a fingerprint of a tokenizer's behaviour. Take it before the tokenizer's first call.

    It covers whatever shapes a row: the tokens, the special tokens and whether they are found in a text, the side that
    is cut, the chat template and its variables, the names of the model's inputs, and the versions of the libraries.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    tokens = (
        backend.to_str() if backend is not None else [str(tokenizer.init_kwargs), sorted(tokenizer.get_vocab().items())]
    )
    settings = {
        "class": type(tokenizer).__name__,
        "special tokens": tokenizer.special_tokens_map,
        "splits special tokens": getattr(tokenizer, "split_special_tokens", False),
        "sides": (tokenizer.truncation_side, tokenizer.padding_side),
        "chat template": tokenizer.chat_template,
        "model inputs": list(tokenizer.model_input_names),
        "versions": {name: version(name) for name in ("transformers", "tokenizers", "datasets")},
    }
    return _digest(json.dumps([tokens, settings], sort_keys=True, default=str))


def _digest(text: str) -> str:
    return xxhash.xxh3_128_hexdigest(text.encode())
