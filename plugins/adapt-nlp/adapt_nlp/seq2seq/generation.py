"""Special tokens and generation config of an encoder-decoder, saved with it for use in plain transformers."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from adapt_core.errors import InputError

from adapt_nlp.head import default_decoder_start
from adapt_nlp.seq2seq.multilingual import Direction

if TYPE_CHECKING:
    from torch import nn
    from transformers import GenerationConfig, PretrainedConfig, PreTrainedTokenizerBase

_SAMPLING = ("temperature", "top_k", "top_p", "min_p", "top_h", "typical_p", "epsilon_cutoff", "eta_cutoff")
_BEAM_SEARCH = ("early_stopping", "length_penalty")

log = logging.getLogger(__name__)


def set_special_tokens(model: nn.Module, tokenizer: PreTrainedTokenizerBase, direction: Direction | None) -> None:
    """Set the special tokens that a model lacks: padding, end, and the decoder's start.

    The start is the language's token where targets end with it (mBART). Otherwise it is set only where the model has
    none: to the special token that targets begin with (BERT's [CLS]), or to padding where they begin with none (T5).

    Args:
        model: an encoder-decoder; its config and generation config are changed.
        tokenizer: of the model, its languages set.
        direction: of a multilingual tokenizer.
    """
    module: Any = model
    config, generation = module.config, module.generation_config
    end = tokenizer.eos_token_id if tokenizer.eos_token_id is not None else tokenizer.sep_token_id
    start = _first_set("decoder_start_token_id", config, generation)
    if direction is not None:
        if direction.begins:
            generation.forced_bos_token_id = direction.target_id
        else:
            start = direction.target_id
            generation.forced_bos_token_id = None
    if start is None:
        start = end if direction is not None else default_decoder_start(tokenizer)
    for name, value in (
        ("pad_token_id", _first_set("pad_token_id", config, generation, tokenizer.pad_token_id)),
        ("eos_token_id", _first_set("eos_token_id", config, generation, end)),
        ("decoder_start_token_id", start),
    ):
        if getattr(config, name, None) is None or name == "decoder_start_token_id":
            setattr(config, name, value)
        if getattr(generation, name, None) is None or name == "decoder_start_token_id":
            setattr(generation, name, value)


def _first_set(
    name: str, config: PretrainedConfig, generation: GenerationConfig, default: int | None = None
) -> int | None:
    for settings in (generation, config):
        value: int | None = getattr(settings, name, None)
        if value is not None:
            return value
    return default


def set_generation(model: nn.Module, max_length: int, num_beams: int | None) -> None:
    """Set length and beams in a model's generation config, which is saved with it.

    Args:
        model: an encoder-decoder.
        max_length: the longest generated text in tokens.
        num_beams: None keeps the model's own number.

    Raises:
        InputError: the model's own generation config is invalid.
    """
    module: Any = model
    generation = module.generation_config
    generation.max_length, generation.max_new_tokens = max_length, None
    if generation.min_length is not None and generation.min_length >= max_length:
        log.warning(
            "the model's min_length %d is ignored: at most %d tokens are generated.", generation.min_length, max_length
        )
        generation.min_length = None
    if num_beams is not None:
        generation.num_beams = num_beams
    # transformers refuses to save flags that have no effect in the generation mode.
    for names, used in ((_SAMPLING, generation.do_sample), (_BEAM_SEARCH, (generation.num_beams or 1) > 1)):
        for name in names:
            if not used and getattr(generation, name, None) is not None:
                setattr(generation, name, None)
    try:
        generation.validate(strict=True)
    except ValueError as error:
        raise InputError(
            f"MODEL_PATH: the model's generation_config.json: {' '.join(str(error).split())[:300]} (Correct the file.)"
        ) from error
