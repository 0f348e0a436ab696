"""The classification head that a task asks of a Hugging Face model, and the token that its decoder starts from."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedTokenizerBase

log = logging.getLogger(__name__)


def head_options(labels: Sequence[str]) -> dict[str, Any]:
    """Return the arguments of `from_pretrained` for a head with one logit for each label.

    A head of another size in the checkpoint is replaced by a new one.
    """
    names = dict(enumerate(labels))
    return {
        "num_labels": len(names),
        "id2label": names,
        "label2id": {name: number for number, name in names.items()},
        "ignore_mismatched_sizes": True,
    }


def default_decoder_start(tokenizer: PreTrainedTokenizerBase) -> int:
    """Return the id that a decoder starts from: a special token that targets begin with (BERT's [CLS]), else padding.

    The tokenizer's padding token must be set. Padding is T5's (Raffel et al., 2020).
    """
    begin: int = tokenizer(text_target="a")["input_ids"][0]
    start = begin if begin in tokenizer.all_special_ids else tokenizer.pad_token_id
    log.info("the decoder starts from %r, since the model has no start token", tokenizer.convert_ids_to_tokens(start))
    return int(start)


def set_decoder_start(model: nn.Module, tokenizer: PreTrainedTokenizerBase) -> None:
    """Set the token that an encoder-decoder's decoder starts from, where the model's config has none."""
    module: Any = model
    config = module.config
    if getattr(config, "is_encoder_decoder", False) and getattr(config, "decoder_start_token_id", None) is None:
        config.decoder_start_token_id = default_decoder_start(tokenizer)
