"""GGUF files: metadata copied byte for byte, and tensors written one at a time.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from adapt_core.errors import InputError

from adapt_gguf.arrays import Array
from adapt_gguf.encodings import bits_of, type_named

if TYPE_CHECKING:
    from gguf import GGUFReader

_OWN_FIELDS = "GGUF."
"""The reader's name for the header's numbers, which are no metadata."""


@attrs.frozen
class Field:
    """A metadata field.

    Attributes:
        value: a number, text, list, or `Raw`.
        kind: of gguf's value types ("UINT32", "ARRAY").
        items: of a list's items.
    """

    value: Any
    kind: str
    items: str | None = None


@attrs.frozen
class Raw:
    """A value as it stands in another file: gguf's writer drops empty lists, and its reader flattens lists of lists."""

    data: bytes


@attrs.frozen
class Encoded:
    """A tensor to write.

    Attributes:
        kind: its encoding, of `params.ENCODABLE`, or any where the data is copied.
        shape: of its weights.
        data: makes the encoded data, when it is written.
    """

    kind: str
    shape: tuple[int, ...]
    data: Callable[[], Array]


def open_gguf(path: Path) -> GGUFReader:
    """Open a GGUF file.

    Raises:
        InputError: it cannot be read, is one of several parts, or has the byte order of other machines.
    """
    from gguf import GGUFReader

    try:
        reader = GGUFReader(path)
    except (OSError, ValueError, KeyError, IndexError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as GGUF: {error}. Download it again.") from error
    if reader.byte_order != "I":
        raise InputError(f"{path} has the byte order of another machine. Convert it with gguf-convert-endian.")
    parts = reader.get_field("split.count")
    if parts is not None and int(parts.contents()) > 1:
        raise InputError(f"{path} is one of {parts.contents()} parts. Join them with llama-gguf-split --merge.")
    return reader


def metadata_of(reader: GGUFReader) -> dict[str, Field]:
    """Return all metadata of a file, in its order, to be copied byte for byte."""
    found: dict[str, Field] = {}
    for name, field in reader.fields.items():
        if name.startswith(_OWN_FIELDS):
            continue
        # The first three parts are the key's length, the key, and the type.
        raw = Raw(b"".join(part.tobytes() for part in field.parts[3:]))
        found[name] = Field(raw, field.types[0].name)
    return found


def coarsest_encoding(path: Path, base: Path | None) -> str:
    """Return the encoding with the fewest bits a weight among the tensors of a file that another does not have so.

    Args:
        path: the file.
        base: the other; None for none.

    Returns:
        its name; F32 where all tensors are the base's.
    """
    import numpy as np

    theirs = {} if base is None else {one.name: one for one in open_gguf(base).tensors}
    own = [
        one.tensor_type.name
        for one in open_gguf(path).tensors
        if one.name not in theirs or not np.array_equal(one.data, theirs[one.name].data)
    ]
    return min(own, key=bits_of, default="F32")


def write_gguf(
    path: Path,
    architecture: str,
    metadata: Mapping[str, Field],
    tensors: Mapping[str, Encoded],
    alignment: int | None = None,
) -> None:
    """Write a GGUF file, a tensor in memory at a time.

    Args:
        path: the file to make.
        architecture: "llama".
        metadata: fields in their order, `general.architecture` included where it shall stand elsewhere than first.
        tensors: in their order.
        alignment: bytes to whose multiples each tensor's data starts; 32 unless `general.alignment` says otherwise.
    """
    from gguf import GGUFValueType

    writer = _writer(path, architecture)
    try:
        if alignment is not None:
            writer.data_alignment = alignment
        if "general.architecture" in metadata:
            writer.kv_data[0].clear()
        for name, field in metadata.items():
            items = None if field.items is None else GGUFValueType[field.items]
            writer.add_key_value(name, field.value, GGUFValueType[field.kind], items)
        for name, tensor in tensors.items():
            size = _bytes_of(tensor)
            writer.add_tensor_info(name, tensor.shape, None, size, raw_dtype=type_named(tensor.kind))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        for tensor in tensors.values():
            writer.write_tensor_data(tensor.data())
    finally:
        writer.close()


def text_fields(values: Iterable[tuple[str, str | None]]) -> dict[str, Field]:
    """Return text fields; those without a text are left out."""
    return {name: Field(value, "STRING") for name, value in values if value}


def _bytes_of(tensor: Encoded) -> int:
    return round(prod(tensor.shape) * bits_of(tensor.kind) / 8)


def _writer(path: Path, architecture: str) -> Any:
    from gguf import GGUFValueType, GGUFWriter

    class CopyingWriter(GGUFWriter):
        """A writer that also takes values as they stand in another file."""

        def _pack_val(
            self, val: Any, vtype: GGUFValueType, add_vtype: bool, sub_type: GGUFValueType | None = None
        ) -> bytes:
            if not isinstance(val, Raw):
                packed: bytes = super()._pack_val(val, vtype, add_vtype, sub_type)
                return packed
            return (bytes(self._pack("I", vtype)) if add_vtype else b"") + val.data

    return CopyingWriter(path, architecture)
