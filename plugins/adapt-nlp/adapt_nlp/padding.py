"""A probe of whether padding enters what an encoder computes of the tokens before it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from adapt_core.hf.tasks.preview import random_texts

from adapt_nlp.probes import REFUSALS, ask

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_PADDING = 8
_ALLOWED = {torch.float32: 1e-3}
"""The largest change of an output by padding, relative to the largest output."""

_ALLOWED_HALF_PRECISION = 5e-2

log = logging.getLogger(__name__)


def padding_findings(model: nn.Module, tokenizer: PreTrainedTokenizerBase) -> list[str]:
    """Return a warning where a row's outputs depend on how far its batch is padded, whatever the attention mask says.

    In MobileBERT, ConvBERT, CANINE, FNet and YOSO they do (findings/padding_enters_encoders.sh). Costs two forward
    passes of a few tokens, without gradients; encoder-decoders, which need more inputs, are not asked.

    Args:
        model: the attached model, complete in this process.
        tokenizer: its tokenizer, with a padding token.
    """
    config: Any = getattr(model, "config", None)
    if getattr(config, "is_encoder_decoder", False):
        return []
    row = {name: values[:1] for name, values in random_texts(tokenizer, model).items()}
    tokens = row["input_ids"].shape[1]
    lists = {name: values.tolist() for name, values in row.items()}
    padded = tokenizer.pad(lists, padding="max_length", max_length=tokens + _PADDING, return_tensors="pt")
    if "attention_mask" not in padded:
        return []
    try:
        # The first output: (1, classes), or (1, tokens, ...).
        alone, beside = (ask(model, inputs)[0].float().cpu() for inputs in (row, padded))
    except REFUSALS as error:
        log.debug("whether padding changes outputs is not known: %s", error)
        return []
    if beside.shape != alone.shape:  # one output for each token
        beside = beside[padded["attention_mask"].bool()].view(alone.shape)
    change = float((beside - alone).abs().max()) / (float(alone.abs().max()) or 1.0)
    if not change > _ALLOWED.get(next(model.parameters()).dtype, _ALLOWED_HALF_PRECISION):  # NaN is told by the loss.
        return []
    family = getattr(config, "model_type", type(model).__name__)
    return [
        f"MODEL_PATH: padding changes what this model ({family}) computes of a text, by {change:.2g} of its largest "
        "output, so predictions depend on the texts beside it in a batch: set BATCH_SIZE and EVAL_BATCH_SIZE to 1, or "
        "GROUP_BY_LENGTH: true for less of it"
    ]
