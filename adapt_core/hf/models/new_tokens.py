"""ADD_TOKENS: tokens that a model's vocabulary lacks, added, with embeddings to start from."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import attrs

from adapt_core.contracts import LoadedModel
from adapt_core.errors import InputError, first_of
from adapt_core.hf.models.location import ModelSource
from adapt_core.hf.models.tokenizers import require_embeddings

if TYPE_CHECKING:
    import torch
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

log = logging.getLogger(__name__)

STARTS = ("pieces", "mean")
_NAMED = 5


@attrs.frozen
class NewTokens:
    """Tokens that were added to a tokenizer.

    Attributes:
        numbers: of the tokens, ascending.
        pieces: of each, the numbers of the tokens that its text was written with before.
    """

    numbers: tuple[int, ...] = ()
    pieces: tuple[tuple[int, ...], ...] = ()


def check_tokens(wanted: Sequence[str]) -> None:
    """Check ADD_TOKENS without a tokenizer.

    Raises:
        InputError: a token is empty, or given twice.
    """
    for token in wanted:
        if not token.strip():
            raise InputError(f"ADD_TOKENS: {token!r} is empty. Remove it.")
        if list(wanted).count(token) > 1:
            raise InputError(f"ADD_TOKENS: {token!r} is given twice. Remove one.")


def add_tokens(tokenizer: PreTrainedTokenizerBase, wanted: Sequence[str]) -> NewTokens:
    """Add tokens to a tokenizer in place; those that it has stay as they are, and are said."""
    known = tokenizer.get_vocab()
    held = [token for token in wanted if token in known]
    if held:
        log.info("ADD_TOKENS: the vocabulary has %s; they stay as they are.", first_of(map(repr, held), _NAMED))
    new = [token for token in wanted if token not in known]
    unknown = tokenizer.unk_token_id
    pieces = [
        tuple(n for n in tokenizer(token, add_special_tokens=False)["input_ids"] if n != unknown) for token in new
    ]
    tokenizer.add_tokens(new)
    numbers = [tokenizer.convert_tokens_to_ids(token) for token in new]
    if new:
        log.info("ADD_TOKENS: %d tokens, numbers %d to %d", len(new), numbers[0], numbers[-1])
    return NewTokens(tuple(numbers), tuple(pieces))


def fit_vocabulary(
    loaded: LoadedModel, tokenizer: PreTrainedTokenizerBase, tokens: NewTokens, start: str, source: ModelSource
) -> LoadedModel:
    """Fit a base model to its tokenizer: embeddings of new tokens, and the number of the padding token.

    Args:
        loaded: the base model.
        tokenizer: with the new tokens.
        tokens: as `add_tokens` returned them.
        start: see `embed_tokens`.
        source: of the model, for messages.

    Raises:
        InputError: the tokenizer has other tokens beyond the model's embeddings.
    """
    module: Any = loaded.model
    rows = embed_tokens(module, tokenizer, tokens, start)
    require_embeddings(module, tokenizer, source)
    if getattr(module.config, "pad_token_id", None) is None:
        module.config.pad_token_id = tokenizer.pad_token_id
    return attrs.evolve(loaded, new_rows=rows)


def rows_without(tokens: NewTokens, config: PretrainedConfig) -> int | None:
    """Return the rows of the published embeddings where new tokens made them more; else None."""
    rows = getattr(config, "vocab_size", None)
    return rows if rows is not None and tokens.numbers and max(tokens.numbers) >= rows else None


def embed_tokens(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, tokens: NewTokens, start: str
) -> dict[str, tuple[int, ...]]:
    """Give a model embeddings of new tokens, and outputs where its output layer has one for each token.

    Args:
        model: the base model; on "meta" its tensors get their shapes alone.
        tokenizer: with the tokens.
        tokens: as `add_tokens` returned them.
        start: "pieces": the mean of the embeddings of the tokens that its text was before; "mean" of all embeddings.

    Returns:
        full name of a module -> its new rows: the embeddings, and an output layer that does not share their weight.
    """
    if not tokens.numbers:
        return {}
    import torch

    module: Any = model
    embeddings = module.get_input_embeddings()
    before = int(embeddings.weight.shape[0])
    if max(tokens.numbers) >= before:
        module.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    own = min(before, min(tokens.numbers))
    layers = [module.get_input_embeddings()]
    outputs = module.get_output_embeddings()
    if outputs is not None and outputs.weight is not layers[0].weight and len(outputs.weight) > max(tokens.numbers):
        layers.append(outputs)
    names = {id(part): name for name, part in module.named_modules()}
    with torch.no_grad():
        for layer in layers:
            _start(layer.weight, tokens, own, start)
            if getattr(layer, "bias", None) is not None:
                layer.bias[list(tokens.numbers)] = layer.bias[:own].mean()
    return {names[id(layer)]: tokens.numbers for layer in layers}


def _start(weight: torch.Tensor, tokens: NewTokens, own: int, start: str) -> None:
    if weight.is_meta:
        return
    mean = weight[:own].float().mean(0)
    for number, pieces in zip(tokens.numbers, tokens.pieces, strict=True):
        used = pieces if start == "pieces" else ()
        weight[number] = (weight[list(used)].float().mean(0) if used else mean).to(weight.dtype)
