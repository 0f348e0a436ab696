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
