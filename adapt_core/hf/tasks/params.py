"""The parameters that every task on a language model has. Derive the task's own from them."""

from __future__ import annotations

import attrs

from adapt_core.plugin.params import param


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
