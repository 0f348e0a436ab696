"""The parameters that every language task has: the base class of a task's own."""

from __future__ import annotations

import attrs

from adapt_core.plugin.params import param


@attrs.frozen
class TextParams:
    """Parameters of every language task."""

    dataset_text_field: str = param(
        "text",
        "Column of the text where input_column is not given; also the name of the text that FORMAT_STRING builds.",
    )
    flash_attention2: bool = param(
        False,
        "Use flash attention 2 where model and device support it; elsewhere the default, with a warning.",
    )
    add_tokens: tuple[str, ...] = param(
        (),
        "Tokens to add to the vocabulary, each for a text that is one token from now on. They train with the methods "
        "full, LoRA and DoRA, and are saved with the tokenizer.",
        key="ADD_TOKENS",
    )
    add_tokens_start: str = param(
        "pieces",
        "What the embeddings of ADD_TOKENS start from: the mean of those of the tokens that each was before (pieces), "
        "or of all (mean).",
        key="ADD_TOKENS_START",
        choices=("pieces", "mean"),
    )
