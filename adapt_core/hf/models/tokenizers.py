"""Tokenizers with a padding token, and length limits of models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from adapt_core.config.plan import Plan
from adapt_core.errors import InputError, first_of
from adapt_core.hf.models.location import ModelSource
from adapt_core.hf.models.pretrained import load_companion

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedConfig, PreTrainedTokenizerBase

_UNLIMITED = 1_000_000


def load_tokenizer(source: ModelSource, plan: Plan) -> PreTrainedTokenizerBase:
    """Load the model's tokenizer. One without a padding token (GPT-2, Llama) pads with its end token.

    Raises:
        InputError: it cannot be loaded, has special tokens alone, or neither a padding nor an end token.
    """
    from transformers import AutoTokenizer

    tokenizer: PreTrainedTokenizerBase = load_companion(AutoTokenizer.from_pretrained, source, plan)
    if not set(range(len(tokenizer))) - set(tokenizer.all_special_ids):
        raise InputError(
            f"MODEL_PATH: the tokenizer of {source.given} has special tokens alone: every text would be unknown to it. "
            "Copy the tokenizer files that belong to the model."
        )
    if tokenizer.pad_token is None:
        if tokenizer.eos_token is None:
            raise InputError(
                f"MODEL_PATH: the tokenizer of {source.given} has neither a padding nor an end token."
                " Set pad_token in its tokenizer_config.json."
            )
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def length_limit(tokenizer: PreTrainedTokenizerBase, config: PreTrainedConfig, wanted: int | None) -> int:
    """Return the longest input in tokens: `wanted`, or the limit of tokenizer and model (512 where they have none).

    Raises:
        InputError: `wanted` exceeds the positions of the model.
    """
    positions = positions_of(config)
    limits = [
        limit for limit in (positions, tokenizer.model_max_length) if isinstance(limit, int) and 0 < limit < _UNLIMITED
    ]
    if wanted is None:
        return min(limits, default=512)
    if positions is not None and positions < wanted:
        raise InputError(f"max_seq_length {wanted} is more than the {positions} positions of the model. Lower it.")
    return wanted


def positions_of(config: PreTrainedConfig) -> int | None:
    """Return the number of positions of a model, or None where it has no such limit (relative positions)."""
    positions = getattr(config, "max_position_embeddings", None)
    if not isinstance(positions, int) or positions <= 0:
        return None
    if config.model_type in ("roberta", "xlm-roberta", "camembert"):
        positions -= config.pad_token_id + 1  # The positions of these models start after the padding index.
    return positions


def require_fast(tokenizer: PreTrainedTokenizerBase, source: ModelSource, why: str) -> PreTrainedTokenizerBase:
    """Return the tokenizer if it maps tokens to characters.

    Raises:
        InputError: it does not.
    """
    if not tokenizer.is_fast:
        raise InputError(
            f"MODEL_PATH: {why}, which the tokenizer of {source.given} does not support (it has no tokenizer.json)."
            " Use a model with a fast tokenizer."
        )
    return tokenizer


def require_embeddings(model: nn.Module, tokenizer: PreTrainedTokenizerBase, source: ModelSource) -> None:
    """Check that a model has an embedding for each token of its tokenizer.

    Raises:
        InputError: it does not; the message names a token without one.
    """
    module: Any = model
    try:
        rows = getattr(module.get_input_embeddings(), "num_embeddings", None)
    except NotImplementedError:  # a model that embeds no tokens by number
        return
    vocabulary = tokenizer.get_vocab()
    beyond = [] if rows is None else sorted(token for token, number in vocabulary.items() if number >= rows)
    if beyond:
        raise InputError(
            f"MODEL_PATH: the tokenizer of {source.given} has {len(beyond)} tokens beyond the {rows:,} embeddings of "
            f"the model: {first_of(map(repr, beyond), 3)}. Use the model's own tokenizer, or add embeddings: "
            "model.resize_token_embeddings(len(tokenizer)), then save both in a folder for MODEL_PATH."
        )
