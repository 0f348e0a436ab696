"""The tokenizer and config of an exported model, read once for each export."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from adapt_core.contracts import ExportSource

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

_TOKENIZERS: WeakKeyDictionary[ExportSource, PreTrainedTokenizerFast] = WeakKeyDictionary()


def tokenizer_of(source: ExportSource) -> PreTrainedTokenizerFast:
    """Return the tokenizer, read once: a large one takes seconds, and each card of an export needs it."""
    from transformers import AutoTokenizer

    known = _TOKENIZERS.get(source)
    if known is None:
        with TemporaryDirectory() as place:
            source.save_companions(Path(place))
            known = AutoTokenizer.from_pretrained(place)
        _TOKENIZERS[source] = known
    return known


def config_of(source: ExportSource) -> Any:
    """Return the model's transformers config."""
    from transformers import AutoConfig

    with TemporaryDirectory() as place:
        source.save_companions(Path(place))
        return AutoConfig.from_pretrained(place)
