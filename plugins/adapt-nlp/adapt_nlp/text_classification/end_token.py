"""The end token of encoder-decoders, at which their classification heads read a text: it must stand there once.

BART (Lewis et al., 2020) classifies so; in transformers T5 and others do it too.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

from adapt_core.errors import InputError

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase


def end_token(
    model_class: type[PreTrainedModel] | None, config: PreTrainedConfig, tokenizer: PreTrainedTokenizerBase
) -> str | None:
    """Return the token at whose only place in a text a model reads it, or None where the model reads elsewhere.

    Args:
        model_class: the classifier's class; None where the model has code of its own.
        config: of the model.
        tokenizer: of the model.

    Raises:
        InputError: the tokenizer puts no such token behind a text.
    """
    if model_class is None or "eos_token_id" not in inspect.unwrap(model_class.forward).__code__.co_names:
        return None
    end = config.eos_token_id
    found = tokenizer("a")["input_ids"].count(end)
    if found != 1:
        token = tokenizer.convert_ids_to_tokens(end) if isinstance(end, int) else end
        raise InputError(
            f"MODEL_PATH: {model_class.__name__} reads a text at its end token {token!r} (eos_token_id {end} in "
            f"config.json), which the tokenizer puts there {found} times instead of once. Correct tokenizer.json or "
            "config.json."
        )
    return str(tokenizer.convert_ids_to_tokens(end))


def end_fault(text: str | None, end: str | None) -> str | None:
    """Return why a text cannot be read at its end token, or None."""
    if end is None or text is None or end not in text:
        return None
    return f"contains {end!r}, the end token at which the model reads a text"
