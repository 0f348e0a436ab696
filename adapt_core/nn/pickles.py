"""Pickles, which can run any code when they are loaded: tensors alone are read, except where the user trusts a file.

torch, transformers, accelerate and OpenMMLab each load files of their own accord, and some fall back to a full unpickle
where reading tensors fails. `weights_only` decides for all of them.
"""

from __future__ import annotations

import os
import pickle
import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Any

from adapt_core.errors import InputError, first_line

_FORCE, _FORCE_NOT = "TORCH_FORCE_WEIGHTS_ONLY_LOAD", "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"
"""What torch.load asks at each call, whatever `weights_only` its caller gives."""

SHARD_METADATA = ".metadata"
"""What torch.distributed.checkpoint calls the pickle beside the shards of a checkpoint."""

_GLOBAL = re.compile(r"GLOBAL (\S+?)[`']? (?:was not|is not|whose)")

_METADATA_GLOBALS = {
    "torch.distributed.checkpoint.metadata": {
        "BytesStorageMetadata",
        "ChunkStorageMetadata",
        "Metadata",
        "MetadataIndex",
        "StorageMeta",
        "TensorProperties",
        "TensorStorageMetadata",
        "_MEM_FORMAT_ENCODING",
    },
    "torch.distributed.checkpoint.filesystem": {"_StorageInfo"},
    "torch.serialization": {"_get_layout"},
    "torch": {"Size"},
    "collections": {"OrderedDict"},
    "pathlib": {"Path", "PosixPath", "PurePosixPath"},
    "pathlib._local": {"PosixPath", "PurePosixPath"},
}
"""Module -> what such a pickle refers to by name, beside torch's dtypes."""


@contextmanager
def weights_only() -> Iterator[None]:
    """Let every `torch.load` of a block, whoever calls it, read tensors and plain values alone. Also a decorator.

    Raises:
        InputError: a file has more than that.
    """
    with _environment({_FORCE: "1", _FORCE_NOT: None}):
        try:
            yield
        except pickle.UnpicklingError as error:
            raise InputError(
                f"{_file_of(error)} is not loaded, for it could run code: it {foreign_part(error)}. Use weights in "
                ".safetensors or a state dict that holds nothing but tensors, and resume from checkpoints of your own."
            ) from error


def foreign_part(error: pickle.UnpicklingError) -> str:
    """Return what torch would not load, without its advice to load everything: "refers to os.system"."""
    named = _GLOBAL.search(str(error))
    return f"refers to {named[1]}" if named else "holds more than tensors and plain values"


def _file_of(error: BaseException) -> str:
    """Return the file that torch.load was reading; a library that called it seldom says so."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        code = frame.f_code
        given = frame.f_locals.get("f")
        if code.co_name == "load" and code.co_filename.endswith("torch/serialization.py") and _is_path(given):
            return str(given)
    return "a file of MODEL_PATH or of a checkpoint"


def _is_path(given: object) -> bool:
    return isinstance(given, (str, os.PathLike))


@contextmanager
def full_unpickling() -> Iterator[None]:
    """Let `torch.load` run the code of a pickle in a block inside `weights_only`, for one file that the user trusts."""
    with _environment({_FORCE: None, _FORCE_NOT: None}):
        yield


@contextmanager
def _environment(changes: dict[str, str | None]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in changes}
    _set(changes)
    try:
        yield
    finally:
        _set(before)


def _set(values: dict[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def require_plain_metadata(checkpoint: Path) -> None:
    """Check that the metadata of a sharded checkpoint, which torch unpickles in full, names nothing but its own types.

    Args:
        checkpoint: a folder; one without shards has no such file.

    Raises:
        InputError: a file refers to anything else, or cannot be read.
    """
    for path in sorted(checkpoint.rglob(f"*{SHARD_METADATA}")):
        try:
            with path.open("rb") as file:
                _MetadataUnpickler(file).load()
        except _ForeignGlobalError as error:
            raise InputError(
                f"{path} is not loaded, for it could run code: it refers to {error}, which the metadata of a sharded "
                "checkpoint does not need. Resume from a checkpoint that your own run wrote."
            ) from None
        except Exception as error:  # a broken pickle fails in whatever way its bytes say
            raise InputError(
                f"{path} cannot be read as the metadata of a sharded checkpoint ({type(error).__name__}: "
                f"{first_line(error)}). Resume from another checkpoint."
            ) from error


class _ForeignGlobalError(Exception):
    """A pickle refers to something that is not on the list."""


class _MetadataUnpickler(pickle.Unpickler):
    """Reads the metadata of a sharded checkpoint, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """Return what a pickle refers to, where it is on the list; nothing is imported for anything else."""
        if name in _METADATA_GLOBALS.get(module, ()):
            return super().find_class(module, name)
        if module == "torch":
            import torch

            found = getattr(torch, name, None)
            if isinstance(found, torch.dtype):
                return found
        if (module, name) == ("builtins", "getattr"):
            return _member
        raise _ForeignGlobalError(f"{module}.{name}")


def _member(owner: object, name: object) -> object:
    """Return a member of an enum, which Python before 3.11.4 pickles as an attribute of its class.

    Raises:
        _ForeignGlobalError: the attribute of anything else is asked for.
    """
    if isinstance(owner, type) and issubclass(owner, Enum) and name in owner.__members__:
        return owner[str(name)]
    raise _ForeignGlobalError(f"builtins.getattr of {owner!r}"[:100])
