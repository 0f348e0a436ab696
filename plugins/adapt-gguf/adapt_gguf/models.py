"""A language model written as a GGUF file, anew or in the form of the GGUF file that its base came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from adapt_core.errors import InputError

from adapt_gguf.arrays import Array
from adapt_gguf.encodings import FULL_PRECISION, decode, encode, file_type, type_for
from adapt_gguf.families import Family, architecture_fields, family_of, to_file
from adapt_gguf.files import Encoded, Field, metadata_of, open_gguf, text_fields, write_gguf
from adapt_gguf.names import file_names
from adapt_gguf.params import ENCODABLE
from adapt_gguf.positions import FREQUENCIES, frequency_factors
from adapt_gguf.vocabulary import chat_template_field, grown_vocabulary, vocabulary_fields

if TYPE_CHECKING:
    import torch
    from gguf import ReaderTensor
    from torch import nn
    from transformers import PreTrainedTokenizerFast

_TEMPLATE = "tokenizer.chat_template"
_FILE_TYPE = "general.file_type"
_VOCABULARY = ("token_embd.weight", "output.weight")
"""Tensors with a row for each token."""
_QUANTIZATION_VERSION = 2
_DTYPES = {"float32": "F32", "float16": "F16", "bfloat16": "BF16"}

_KEPT = (*FULL_PRECISION, "Q8_0")
"""Encodings of a base that a trained tensor keeps.

The weights of a base with fewer bits stand on the points of its encoding, and what an adapter adds to them is mostly
less than half a step to the next: encoded the same way again, they fall back to where they were, and the training is
lost.
"""

AS_BASE = "base"
"""`gguf_type` that gives each trained tensor its base's encoding all the same."""


@attrs.frozen
class Written:
    """What a file has.

    Attributes:
        kinds: tensors to encodings.
        copied: tensors that training left as they were, whose bytes are the base's.
        replaced: encodings of the base, to those that trained tensors have instead.
        kept: the share of what was trained that is left after rounding; None where nothing was, or nothing is known.
    """

    kinds: Mapping[str, str]
    copied: frozenset[str] = frozenset()
    replaced: Mapping[str, str] = attrs.field(factory=dict)
    kept: float | None = None


@attrs.frozen
class _Weights:
    """A model's parameters by their names in the file, made float32 and laid out when asked for."""

    parameters: Mapping[str, torch.Tensor]
    family: Family
    heads: tuple[int, int]

    def values(self, name: str) -> Array:
        """Return a tensor in float32."""
        plain: Array = self.parameters[name].detach().float().cpu().numpy()
        return to_file(self.family, name, plain, self.heads)

    def shape(self, name: str) -> tuple[int, ...]:
        """Return a tensor's shape in the file."""
        shape = tuple(self.parameters[name].shape)
        return shape[::-1] if self.family.transposed and name.endswith(self.family.transposed) else shape

    def grows(self, name: str, base: tuple[int, ...]) -> bool:
        """Return whether a tensor has more rows than the base's, and the same columns."""
        shape = self.shape(name) if name in self.parameters else base
        return shape[0] > base[0] and shape[1:] == base[1:]

    def equal(self, name: str, base: Array) -> bool:
        """Return whether a tensor is the base's, in the precision that it was trained in."""
        import torch

        dtype = self.parameters[name].dtype
        if dtype != torch.float32:
            base = torch.from_numpy(base.copy()).to(dtype).float().numpy()
        return np.array_equal(self.values(name), base)


class _Kept:
    """How much of what was trained is left after rounding: the part of the written change along the trained one."""

    def __init__(self) -> None:
        self._along = self._all = 0.0

    @property
    def share(self) -> float | None:
        """1 where all is left."""
        return self._along / self._all if self._all else None

    def encode(self, weights: _Weights, base: ReaderTensor, kind: str) -> Array:
        """Return a trained tensor encoded."""
        values = weights.values(base.name)
        encoded = encode(values, kind)
        before = decode(base.data, base.tensor_type.name)
        trained = (values - before).ravel()
        self._along += float(trained @ (decode(encoded, kind) - before).ravel())
        self._all += float(trained @ trained)
        return encoded


def write_model(
    model: nn.Module, tokenizer: PreTrainedTokenizerFast, path: Path, kind: str | None = None, pre: str | None = None
) -> Written:
    """Write a model as a new GGUF file.

    Args:
        model: a plain transformers model, in float.
        tokenizer: its tokenizer.
        path: the file to make.
        kind: the encoding of matrices; None: as the model's own type, F32, F16 or BF16.
        pre: see `vocabulary_fields`.

    Raises:
        InputError: GGUF has no place for this model or tokenizer.
    """
    weights = _weights_of(model)
    config: Any = model.config
    first = next(iter(weights.parameters.values()))
    chosen = kind or _DTYPES[str(first.dtype).removeprefix("torch.")]
    kinds = {name: type_for(name, weights.shape(name), chosen) for name in weights.parameters}
    rows = weights.shape("token_embd.weight")[0]
    metadata = {
        "general.architecture": Field(weights.family.architecture, "STRING"),
        "general.type": Field("model", "STRING"),
        **text_fields([("general.name", str(getattr(config, "_name_or_path", "")).rstrip("/").rpartition("/")[2])]),
        **architecture_fields(config),
        _FILE_TYPE: Field(_file_type(kinds, weights), "UINT32"),
        **vocabulary_fields(tokenizer, rows, pre),
        "general.quantization_version": Field(_QUANTIZATION_VERSION, "UINT32"),
    }
    tensors = {name: _encoded(weights, name, kinds[name]) for name in weights.parameters}
    factors = frequency_factors(config)
    if factors is not None:
        tensors[FREQUENCIES] = Encoded("F32", factors.shape, lambda: factors)
    write_gguf(path, weights.family.architecture, metadata, tensors)
    return Written(kinds)


def write_like(
    model: nn.Module,
    tokenizer: PreTrainedTokenizerFast,
    path: Path,
    base: Path,
    kind: str | None = None,
    new_tokens: Sequence[str] = (),
) -> Written:
    """Write a model in the form of the GGUF file that its base came from: its metadata, its order, its encodings.

    Every metadata field is copied byte for byte. What training left as it was is copied, too, whatever its encoding.
    `general.file_type` changes with the encodings, the chat template where the run's tokenizer has another, the
    vocabulary where tokens were added.

    Args:
        model: a plain transformers model.
        tokenizer: its tokenizer.
        path: the file to make.
        base: the GGUF file.
        kind: the encoding of trained tensors, or AS_BASE; None: that of the base, or Q8_0 where the base's has fewer
            bits, in which most of what was trained would be lost.
        new_tokens: those that the run added.

    Raises:
        InputError: the model is another than the file's, or its base's encoding cannot be written.
    """
    weights = _weights_of(model)
    reader = open_gguf(base)
    metadata = metadata_of(reader)
    tensors: dict[str, Encoded] = {}
    copied: set[str] = set()
    replaced: dict[str, str] = {}
    kept = _Kept()
    for one in reader.tensors:
        shape = tuple(int(size) for size in reversed(one.shape))
        grown = bool(new_tokens) and one.name in _VOCABULARY and weights.grows(one.name, shape)
        if one.name in weights.parameters and weights.shape(one.name) != shape and not grown:
            raise InputError(
                f"GGUF: {one.name} has the shape {weights.shape(one.name)}, and {shape} in {base}."
                " Give MODEL_PATH as a model folder, from which a GGUF file is written anew."
            )
        known = one.name in weights.parameters
        if not known or (not grown and weights.equal(one.name, decode(one.data, one.tensor_type.name))):
            tensors[one.name] = Encoded(one.tensor_type.name, shape, partial(np.asarray, one.data))
            copied.add(one.name)
            continue
        own = one.tensor_type.name
        chosen = _kind_of_trained(one.name, shape, own, kind)
        if kind is None and chosen != own:
            replaced[own] = chosen
        if grown:
            tensors[one.name] = _encoded(weights, one.name, chosen)
        else:
            tensors[one.name] = Encoded(chosen, shape, partial(kept.encode, weights, one, chosen))
    for name in weights.parameters.keys() - tensors.keys():
        tensors[name] = _encoded(weights, name, type_for(name, weights.shape(name), kind or "F16"))
    kinds = {name: tensor.kind for name, tensor in tensors.items()}
    if kinds != {one.name: one.tensor_type.name for one in reader.tensors} and _FILE_TYPE in metadata:
        metadata[_FILE_TYPE] = Field(_file_type(kinds, weights), "UINT32")
    template = chat_template_field(tokenizer).get(_TEMPLATE)
    field = reader.get_field(_TEMPLATE)
    if template is not None and (field is None or field.contents() != template.value):
        metadata[_TEMPLATE] = template
    if new_tokens:
        numbers = {token: int(tokenizer.convert_tokens_to_ids(token)) for token in new_tokens}
        metadata |= grown_vocabulary(reader, numbers, weights.shape("token_embd.weight")[0])
    write_gguf(path, weights.family.architecture, metadata, tensors, int(reader.alignment))
    return Written(kinds, frozenset(copied), replaced, kept.share)


def _kind_of_trained(name: str, shape: tuple[int, ...], own: str, wanted: str | None) -> str:
    if wanted is None:
        return own if own in _KEPT else type_for(name, shape, "Q8_0")
    if wanted != AS_BASE:
        return type_for(name, shape, wanted)
    if own not in ENCODABLE:
        raise InputError(
            f"GGUF: {name} is {own} in the base, which can be read, and not written. Leave gguf_type at auto,"
            f" or set it to one of {', '.join(ENCODABLE)}."
        )
    return own


def _weights_of(model: nn.Module) -> _Weights:
    config: Any = model.config
    family = family_of(config.model_type)
    module: Any = model
    state = dict(module.state_dict())
    output, embedding = module.get_output_embeddings(), module.get_input_embeddings()
    if output is not None and output.weight is embedding.weight:
        state = {name: one for name, one in state.items() if name != "lm_head.weight"}
    names = file_names(state, config)
    heads = (config.num_attention_heads, getattr(config, "num_key_value_heads", None) or config.num_attention_heads)
    return _Weights({names[name]: tensor for name, tensor in state.items()}, family, heads)


def _encoded(weights: _Weights, name: str, kind: str) -> Encoded:
    return Encoded(kind, weights.shape(name), lambda: encode(weights.values(name), kind))


def _file_type(kinds: Mapping[str, str], weights: _Weights) -> int:
    matrices = {name: kind for name, kind in kinds.items() if name in weights.parameters}
    return file_type({name: kind for name, kind in matrices.items() if len(weights.shape(name)) > 1})
