"""The parameters of the exporters."""

from __future__ import annotations

import attrs

from adapt_core.plugin.params import param

ENCODABLE = ("F32", "F16", "BF16", "Q8_0", "Q5_1", "Q5_0", "Q4_1", "Q4_0", "MXFP4", "TQ2_0", "TQ1_0")
"""What the package gguf (0.19) can write. It reads K-quants and IQ-quants, and cannot write them."""

CHOICES = ("auto", "base", *ENCODABLE)
"""Values of `gguf_type`."""


@attrs.frozen
class GgufParams:
    """Parameters of the export gguf."""

    gguf_type: str = param(
        "auto",
        "The encoding of matrices. auto: as the model's type; where the base came as GGUF, as each of its tensors, but "
        "Q8_0 for trained ones with fewer bits, whose training rounding would undo. base: as the base's all the same.",
        choices=CHOICES,
    )
    gguf_pre: str | None = param(
        None,
        "llama.cpp's name of how the tokenizer splits texts (gpt-2, llama-bpe, qwen2, ...; default: found from the "
        "tokenizer, or the base's GGUF file).",
    )
