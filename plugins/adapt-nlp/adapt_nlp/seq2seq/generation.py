"""How an encoder-decoder generates: set once on the model, so that plain transformers does as adapt did."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from adapt_core.errors import InputError

from adapt_nlp.seq2seq.data import encode_sources
from adapt_nlp.seq2seq.multilingual import Direction

_GENERATED_AT_ONCE = 16
_SAMPLING = ("temperature", "top_k", "top_p", "min_p", "top_h", "typical_p", "epsilon_cutoff", "eta_cutoff")
_BEAM_SEARCH = ("early_stopping", "length_penalty")

log = logging.getLogger(__name__)


def set_special_tokens(model: Any, tokenizer: Any, direction: Direction | None) -> None:
    """Gives a model the special tokens that it lacks: padding, end, and the decoder's start.

    The start is the language's token where targets end with it (mBART); else, only where the model has none, the
    special token that targets begin with (BERT's [CLS]), or padding where they begin with none (T5).

    Args:
        model: an encoder-decoder; its config and generation config are changed.
        tokenizer: its tokenizer, languages set.
        direction: of a multilingual tokenizer.
    """
    config, generation = model.config, model.generation_config
    end = tokenizer.eos_token_id if tokenizer.eos_token_id is not None else tokenizer.sep_token_id
    start = _held("decoder_start_token_id", config, generation)
    if direction is not None:
        if direction.begins:
            generation.forced_bos_token_id = direction.target_id
        else:
            start = direction.target_id
            generation.forced_bos_token_id = None
    if start is None:
        begin = tokenizer(text_target="a")["input_ids"][0]
        starts = begin in tokenizer.all_special_ids and direction is None
        start = begin if starts else tokenizer.pad_token_id if direction is None else end
        log.info("the decoder starts from %r: the model did not say", tokenizer.convert_ids_to_tokens(start))
    for name, value in (
        ("pad_token_id", _held("pad_token_id", config, generation, tokenizer.pad_token_id)),
        ("eos_token_id", _held("eos_token_id", config, generation, end)),
        ("decoder_start_token_id", start),
    ):
        if getattr(config, name, None) is None or name == "decoder_start_token_id":
            setattr(config, name, value)
        if getattr(generation, name, None) is None or name == "decoder_start_token_id":
            setattr(generation, name, value)


def _held(name: str, config: Any, generation: Any, default: Any = None) -> Any:
    for holder in (generation, config):
        value = getattr(holder, name, None)
        if value is not None:
            return value
    return default


def set_generation(model: Any, max_length: int, num_beams: int | None) -> None:
    """Sets how a model generates by default, in its generation config, which is saved with it.

    Args:
        model: the model.
        max_length: longest generated text in tokens.
        num_beams: beams; None leaves the model's own number.

    Raises:
        InputError: the model's own generation config is not valid.
    """
    generation = model.generation_config
    generation.max_length, generation.max_new_tokens = max_length, None
    if generation.min_length is not None and generation.min_length >= max_length:
        log.warning(
            "the model's min_length %d is dropped: at most %d tokens are generated.", generation.min_length, max_length
        )
        generation.min_length = None
    if num_beams is not None:
        generation.num_beams = num_beams
    # Flags without effect in this mode: transformers refuses to save them.
    for names, used in ((_SAMPLING, generation.do_sample), (_BEAM_SEARCH, (generation.num_beams or 1) > 1)):
        for name in names:
            if not used and getattr(generation, name, None) is not None:
                setattr(generation, name, None)
    try:
        generation.validate(strict=True)
    except ValueError as error:
        raise InputError(
            f"MODEL_PATH: the model's generation_config.json: {' '.join(str(error).split())[:300]}"
        ) from error


def generate_texts(model: Any, tokenizer: Any, texts: Sequence[str], prefix: str, limit: int) -> list[str]:
    """Generated texts, as the model's generation config says.

    Args:
        model: in evaluation mode.
        tokenizer: its tokenizer, languages set.
        texts: inputs.
        prefix: stands before each input.
        limit: longest input in tokens.
    """
    import torch

    from adapt_core.distributed.sharding import compute_device

    device = compute_device(model)
    generated: list[str] = []
    for first in range(0, len(texts), _GENERATED_AT_ONCE):
        batch = list(texts[first : first + _GENERATED_AT_ONCE])
        inputs = encode_sources(tokenizer, batch, prefix, limit, padding=True, return_tensors="pt")
        with torch.inference_mode():
            ids = model.generate(**{name: tensor.to(device) for name, tensor in inputs.items()})
        generated += [text.strip() for text in tokenizer.batch_decode(ids, skip_special_tokens=True)]
    return generated
