"""The vocabulary of a Hugging Face tokenizer as the metadata of a GGUF file.

Two kinds: byte-level pairs ("gpt2"), and the pairs that come from SentencePiece with bytes for what is unknown
("llama").
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from adapt_core.errors import InputError

from adapt_gguf.files import Field, text_fields
from adapt_gguf.pre_tokenizers import pre_tokenizer_name

if TYPE_CHECKING:
    from gguf import GGUFReader
    from transformers import PreTrainedTokenizerFast

log = logging.getLogger(__name__)

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6
_UNJOINED = -1000.0
"""The score of added tokens, as llama.cpp's convert_hf_to_gguf.py writes it."""
_BYTE = re.compile(r"<0x[0-9A-Fa-f]{2}>")
_SPECIAL = {"bos": "bos", "eos": "eos", "unk": "unknown", "sep": "seperator", "pad": "padding", "mask": "mask"}
"""Kinds of special tokens to their names in the file ("seperator" is spelled so there)."""


def vocabulary_fields(tokenizer: PreTrainedTokenizerFast, rows: int, pre: str | None = None) -> dict[str, Field]:
    """Return the metadata of a tokenizer, its chat template included.

    Args:
        tokenizer: a fast one.
        rows: of the embeddings; tokens without a text fill up.
        pre: llama.cpp's name of how texts are split before pairs are joined; None: found from the tokenizer.

    Raises:
        InputError: llama.cpp has no such tokenizer.
    """
    if not tokenizer.is_fast:
        raise InputError("GGUF: the tokenizer has no tokenizer.json. Use a model with a fast tokenizer.")
    state: dict[str, Any] = json.loads(tokenizer.backend_tokenizer.to_str())
    model = state["model"]
    if model["type"] != "BPE":
        raise InputError(
            f"GGUF: tokenizers of the kind {model['type']} cannot be written; there are byte-level and SentencePiece "
            "pairs (BPE). Use the model's own GGUF file as MODEL_PATH."
        )
    texts, kinds = _tokens(state, model["vocab"], rows)
    merges = [merge if isinstance(merge, str) else _joined(merge) for merge in model["merges"]]
    fields: dict[str, Field] = {}
    if model.get("byte_fallback"):
        fields["tokenizer.ggml.model"] = Field("llama", "STRING")
        fields["tokenizer.ggml.pre"] = Field("default", "STRING")
        fields["tokenizer.ggml.add_space_prefix"] = Field(_prefixes_space(state), "BOOL")
        fields["tokenizer.ggml.scores"] = Field(_scores(texts, kinds, model["merges"]), "ARRAY", "FLOAT32")
    else:
        fields["tokenizer.ggml.model"] = Field("gpt2", "STRING")
        fields["tokenizer.ggml.pre"] = Field(pre or pre_tokenizer_name(state), "STRING")
        fields["tokenizer.ggml.merges"] = Field(merges, "ARRAY", "STRING")
        if _prefixes_byte_level(state):
            log.warning(
                "the tokenizer puts a space before a text (add_prefix_space), which readers of GGUF do not with "
                "byte-level pairs: begin prompts with a space there."
            )
    fields["tokenizer.ggml.tokens"] = Field(texts, "ARRAY", "STRING")
    fields["tokenizer.ggml.token_type"] = Field(kinds, "ARRAY", "INT32")
    return {**fields, **_special_fields(tokenizer), **chat_template_field(tokenizer)}


def grown_vocabulary(reader: GGUFReader, new: Mapping[str, int], rows: int) -> dict[str, Field]:
    """Return the fields of a file's vocabulary with further tokens, which readers find in a text as they are written.

    Args:
        reader: of the file.
        new: tokens and their numbers; those that the file has stay as they are.
        rows: of the embeddings; tokens without a text fill up.
    """
    texts = list(reader.get_field("tokenizer.ggml.tokens").contents())
    kinds = list(reader.get_field("tokenizer.ggml.token_type").contents())
    known = set(texts)
    texts += [f"[PAD{number}]" for number in range(len(texts), rows)]
    kinds += [UNUSED] * (rows - len(kinds))
    for text, number in new.items():
        if text not in known:
            texts[number], kinds[number] = text, USER_DEFINED
    fields = {
        "tokenizer.ggml.tokens": Field(texts, "ARRAY", "STRING"),
        "tokenizer.ggml.token_type": Field(kinds, "ARRAY", "INT32"),
    }
    scores = reader.get_field("tokenizer.ggml.scores")
    if scores is not None:
        held = [float(score) for score in scores.contents()]
        fields["tokenizer.ggml.scores"] = Field([*held, *[_UNJOINED] * (rows - len(held))], "ARRAY", "FLOAT32")
    architecture = reader.get_field("general.architecture").contents()
    if reader.get_field(f"{architecture}.vocab_size") is not None:
        fields[f"{architecture}.vocab_size"] = Field(rows, "UINT32")
    return fields


def chat_template_field(tokenizer: PreTrainedTokenizerFast) -> dict[str, Field]:
    """Return the chat template of a tokenizer as a field; none where it has none."""
    template = tokenizer.chat_template
    if isinstance(template, dict):
        template = template.get("default")
    return text_fields([("tokenizer.chat_template", template)])


def _special_fields(tokenizer: PreTrainedTokenizerFast) -> dict[str, Field]:
    found: dict[str, Field] = {}
    for kind, name in _SPECIAL.items():
        number = getattr(tokenizer, f"{kind}_token_id", None)
        if number is not None:
            found[f"tokenizer.ggml.{name}_token_id"] = Field(int(number), "UINT32")
    plain = tokenizer("a", add_special_tokens=True)["input_ids"]
    begins = bool(plain) and tokenizer.bos_token_id is not None and plain[0] == tokenizer.bos_token_id
    ends = len(plain) > 1 and tokenizer.eos_token_id is not None and plain[-1] == tokenizer.eos_token_id
    found["tokenizer.ggml.add_bos_token"] = Field(begins, "BOOL")
    found["tokenizer.ggml.add_eos_token"] = Field(ends, "BOOL")
    return found


def _tokens(state: Mapping[str, Any], vocabulary: Mapping[str, int], rows: int) -> tuple[list[str], list[int]]:
    """Return the texts of tokens by number, and their kinds."""
    texts: list[str | None] = [None] * rows
    kinds = [UNUSED] * rows
    unknown = state["model"].get("unk_token")
    added = {token["id"]: token for token in state.get("added_tokens", ())}
    for text, number in [*vocabulary.items(), *((token["content"], number) for number, token in added.items())]:
        if number >= rows:
            raise InputError(
                f"GGUF: the token {text!r} has the number {number}, beyond the {rows} embeddings. Give the model"
                " its own tokenizer."
            )
        texts[number] = text
        kinds[number] = NORMAL
        if state["model"].get("byte_fallback") and _BYTE.fullmatch(text):
            kinds[number] = BYTE
        if number in added:
            kinds[number] = CONTROL if added[number]["special"] else USER_DEFINED
        if text == unknown:
            kinds[number] = UNKNOWN
    return [f"[PAD{number}]" if text is None else text for number, text in enumerate(texts)], kinds


def _joined(merge: Sequence[str]) -> str:
    """Return a merge of two parts in one text; a space inside a part is written as byte-level pairs write it."""
    return " ".join(part.replace(" ", "Ġ") for part in merge)


def _scores(texts: Sequence[str], kinds: Sequence[int], merges: Sequence[str | Sequence[str]]) -> list[float]:
    """Return a score for each token: the earlier a pair is joined, the higher, as SentencePiece's own scores.

    A tokenizer.json keeps the order of the merges alone, which is all that llama.cpp decides by.
    """
    ranks: dict[str, int] = {}
    for rank, merge in enumerate(merges):
        parts = merge.split(" ") if isinstance(merge, str) else merge
        ranks.setdefault("".join(parts), rank)
    last = float(len(ranks))
    plain = (NORMAL, USER_DEFINED)
    return [-float(ranks.get(text, last)) if kind in plain else 0.0 for text, kind in zip(texts, kinds, strict=True)]


def puts_space_before(tokenizer: PreTrainedTokenizerFast) -> bool:
    """Return whether texts get a space before them that readers of the file leave out.

    llama.cpp and transformers put one before texts of SentencePiece's pairs alone; a tokenizer of byte-level pairs with
    `add_prefix_space` has no field that they read.
    """
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    return not state["model"].get("byte_fallback") and _prefixes_byte_level(state)


def _prefixes_byte_level(state: Mapping[str, Any]) -> bool:
    before = state.get("pre_tokenizer") or {}
    return any(
        step.get("type") == "ByteLevel" and step.get("add_prefix_space")
        for step in before.get("pretokenizers", [before])
    )


def _prefixes_space(state: Mapping[str, Any]) -> bool:
    """Return whether a text gets a space before it."""
    normalizer = state.get("normalizer") or {}
    steps = [*normalizer.get("normalizers", [normalizer]), state.get("pre_tokenizer") or {}]
    return any(
        step.get("type") == "Prepend" or (step.get("type") == "Metaspace" and step.get("prepend_scheme") != "never")
        for step in steps
    )
