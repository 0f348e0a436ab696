"""How byte-level tokenizers split a text before pairs are joined, by llama.cpp's names (`tokenizer.ggml.pre`).

llama.cpp has each of these splits in its source, and a name stands for one; its converter finds the name by a hash of
how a text is encoded. Here it is found by the split itself, so that a tokenizer trained anew is recognised too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapt_core.errors import InputError

_LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)
_QWEN2 = _LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")

Split = tuple[tuple[str, ...], bool]
"""The patterns of a pre-tokenizer in their order, and whether GPT-2's own pattern comes last."""

NAMES: dict[Split, str] = {
    ((), True): "gpt-2",
    (("<each digit>",), True): "smollm",
    ((_LLAMA3,), False): "llama-bpe",
    ((_QWEN2,), False): "qwen2",
}


def pre_tokenizer_name(state: Mapping[str, Any]) -> str:
    """Return llama.cpp's name of a tokenizer's split.

    Args:
        state: of `tokenizer.json`.

    Raises:
        InputError: llama.cpp is not known to have one that splits so.
    """
    found = NAMES.get(_split_of(state.get("pre_tokenizer") or {}))
    if found is None:
        raise InputError(
            "GGUF: how this tokenizer splits texts has no name here that llama.cpp knows it by. If you know it, set "
            "gguf_pre to it (one of those in llama-vocab.cpp, such as gpt-2, llama-bpe or qwen2), or use the model's "
            "own GGUF file as MODEL_PATH."
        )
    return found


def _split_of(step: Mapping[str, Any]) -> Split:
    patterns: list[str] = []
    own = False
    for one in step.get("pretokenizers", [step]):
        kind = one.get("type")
        if kind == "Split":
            patterns.append(str(one["pattern"].get("Regex") or one["pattern"].get("String")))
        elif kind == "Digits":
            patterns.append("<each digit>" if one["individual_digits"] else "<digits>")
        elif kind == "ByteLevel":
            own = own or bool(one.get("use_regex", True))
        else:
            patterns.append(f"<{kind}>")
    return tuple(patterns), own
