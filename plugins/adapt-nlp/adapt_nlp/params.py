"""The parameters of each language task."""

from __future__ import annotations

import attrs

from adapt_core.parameters import param


@attrs.frozen
class TextParams:
    """What every language task reads."""

    dataset_text_field: str = param(
        "text", "Name of the text column that FORMAT_STRING makes; the input where input_column is not given."
    )
    flash_attention2: bool = param(
        False,
        "Use flash attention 2 where model and device support it; elsewhere the default, said in the log.",
    )


@attrs.frozen
class TextClassificationParams(TextParams):
    """Parameters of text_classification."""

    subtask: str | None = param(
        None,
        "None: one class for each text. ner, pos, chunk: a tag for each word "
        "(columns tokens and ner_tags, pos_tags, chunk_tags, or input_column and target_column).",
        choices=("ner", "pos", "chunk"),
    )
    tag_names: tuple[str, ...] | None = param(
        None, "Names of integer tags, by number, for ner, pos and chunk.", key="TAG_NAMES"
    )
    max_seq_length: int | None = param(
        None,
        "Longest input in tokens; longer texts are cut, longer rows of words windowed (default: the model's limit).",
        ge=8,
    )
    class_weights: str | dict[str, object] | None = param(
        None,
        "Weight of each class in the loss: balanced (inverse frequency), or a mapping of label to weight.",
        key="CLASS_WEIGHTS",
    )
