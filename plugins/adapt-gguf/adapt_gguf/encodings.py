"""Encodings of tensors in a GGUF file, and which one each tensor gets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from gguf import GGMLQuantizationType

    from adapt_gguf.arrays import Array

FULL_PRECISION = ("F32", "F16", "BF16")
_WIDE = "Q8_0"
_WIDE_ROLES = ("token_embd.weight", "output.weight")


def type_named(name: str) -> GGMLQuantizationType:
    """Return the member of gguf's enumeration with a name ("Q8_0")."""
    from gguf import GGMLQuantizationType

    return GGMLQuantizationType[name]


def block_of(name: str) -> int:
    """Return how many neighbouring weights of a row an encoding stores together."""
    from gguf import GGML_QUANT_SIZES

    return int(GGML_QUANT_SIZES[type_named(name)][0])


def bits_of(name: str) -> float:
    """Return the bits that an encoding takes for a weight, those that a block shares included."""
    from gguf import GGML_QUANT_SIZES

    block, size = GGML_QUANT_SIZES[type_named(name)]
    return 8 * float(size) / float(block)


def type_for(tensor: str, shape: tuple[int, ...], wanted: str) -> str:
    """Return the encoding of a tensor in a file of one type, as llama.cpp's converter and quantizer choose it.

    Vectors (norms, biases) and position embeddings stay in F32. Embeddings and the output layer of a file with fewer
    than 8 bits a weight are Q8_0, for their rounding shows in each token. Rows that are no multiple of a block are F16.

    Args:
        tensor: its name in the file.
        shape: rows last.
        wanted: one of ENCODABLE.
    """
    if len(shape) < 2 or tensor == "position_embd.weight":
        return "F32"
    chosen = _WIDE if tensor in _WIDE_ROLES and wanted not in (*FULL_PRECISION, _WIDE) else wanted
    return chosen if shape[-1] % block_of(chosen) == 0 else "F16"


def encode(values: Array, name: str) -> Array:
    """Return float32 values encoded: float32, float16, or bytes, whose last dimension is that of the encoded rows."""
    from gguf.quants import quantize

    encoded: Array = quantize(np.ascontiguousarray(values, dtype=np.float32), type_named(name))
    return encoded


def decode(data: Array, name: str) -> Array:
    """Return the float32 values of a tensor's data as gguf's reader gives it."""
    from gguf.quants import dequantize

    values: Array = dequantize(data, type_named(name))
    return values


def file_type(names: dict[str, str]) -> int:
    """Return `general.file_type`: the number of the encoding that most matrices have, by weights' names.

    Args:
        names: tensors to encodings, matrices alone.
    """
    from collections import Counter

    from gguf import LlamaFileType

    # The embeddings alone may have another.
    layers = {tensor: kind for tensor, kind in names.items() if tensor not in _WIDE_ROLES} or names
    most = Counter(layers.values()).most_common(1)[0][0] if layers else "F32"
    named = {"F32": "ALL_F32", "MXFP4": "MOSTLY_MXFP4_MOE"}.get(most, f"MOSTLY_{most}")
    return int(LlamaFileType[named]) if named in LlamaFileType.__members__ else int(LlamaFileType.GUESSED)
