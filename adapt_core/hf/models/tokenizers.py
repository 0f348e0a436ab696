"""Tokenizers: loaded, with a padding token, and the model's own limit of length."""

from __future__ import annotations

from typing import Any

from adapt_core.config.plan import Plan
from adapt_core.errors import InputError
from adapt_core.hf.models.location import ModelSource
from adapt_core.hf.models.pretrained import load_companion

_UNLIMITED = 1_000_000


def load_tokenizer(source: ModelSource, plan: Plan) -> Any:
    """The model's tokenizer. One without a padding token (GPT-2, Llama) pads with its end token.

    Raises:
        InputError: it cannot be loaded, or has neither padding nor end token.
    """
    from transformers import AutoTokenizer

    tokenizer = load_companion(AutoTokenizer.from_pretrained, source, plan)
    if tokenizer.pad_token is None:
        if tokenizer.eos_token is None:
            raise InputError(f"MODEL_PATH: the tokenizer of {source.given} has neither a padding nor an end token.")
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def length_limit(tokenizer: Any, config: Any, wanted: int | None) -> int:
    """The longest input in tokens: what was asked for, within what tokenizer and model can take.

    Raises:
        InputError: more was asked for than the model's positions.
    """
    positions = positions_of(config)
    limits = [
        limit for limit in (positions, tokenizer.model_max_length) if isinstance(limit, int) and 0 < limit < _UNLIMITED
    ]
    if wanted is None:
        return min(limits, default=512)
    if positions is not None and positions < wanted:
        raise InputError(f"max_seq_length {wanted} is more than the {positions} positions of the model.")
    return wanted


def positions_of(config: Any) -> int | None:
    """The longest input that a model has positions for, or None where it has no such limit (relative positions)."""
    positions = getattr(config, "max_position_embeddings", None)
    if not isinstance(positions, int) or positions <= 0:
        return None
    if config.model_type in ("roberta", "xlm-roberta", "camembert"):
        positions -= config.pad_token_id + 1  # these models count positions from behind the padding index
    return positions


def require_fast(tokenizer: Any, source: ModelSource, why: str) -> Any:
    """The tokenizer, where it can tell which characters each token came from.

    Raises:
        InputError: it cannot.
    """
    if not tokenizer.is_fast:
        raise InputError(f"MODEL_PATH: {why}, which the tokenizer of {source.given} cannot (it has no tokenizer.json).")
    return tokenizer
