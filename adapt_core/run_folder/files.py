"""Atomic writes: under a temporary name, then renamed."""

from __future__ import annotations

import glob
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import xxhash

_CHUNK = 1 << 22
_FILE_MODE, _FOLDER_MODE = 0o666, 0o777
"""Before the umask, as of any file: those of `tempfile` are for their owner alone."""
_UNFINISHED = ".adapt-unfinished"
"""A file in the temporary folder of a living process, which holds a lock of it."""


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file at once, as `write_bytes` does."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file at once: a reader sees the old one or the new one, never half of it.

    There is no fsync: it would flush a complete checkpoint too, during training. The hashes of a checkpoint's manifest
    show the damage of a power failure.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        os.fchmod(handle, _FILE_MODE & ~_umask())
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def digest_of(path: Path) -> str:
    """Return the XXH3-128 (hex) of a file's content, read in pieces."""
    digest = xxhash.xxh3_128()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def make_hidden(path: Path) -> Path:
    """Make an empty file of a new hidden name beside `path`, and return it."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.fchmod(handle, _FILE_MODE & ~_umask())
    os.close(handle)
    return Path(name)


def make_hidden_folder(path: Path) -> Path:
    """Make an empty folder of a new hidden name beside `path`, and return it."""
    folder = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    folder.chmod(_FOLDER_MODE & ~_umask())
    return folder


def unlock(folder: Path) -> None:
    """Give the files in a folder the permissions that the umask leaves.

    safetensors 0.8 keeps the files that it writes from all but their owner, whatever the umask and the file before it:
    another account could not serve the model.
    """
    most = _FILE_MODE & ~_umask()
    for file in folder.rglob("*"):
        if file.is_file() and not file.is_symlink():
            mode = file.stat().st_mode
            if mode & _FILE_MODE != most:
                with suppress(OSError):  # a file system without permissions has refused no reader
                    file.chmod(mode & ~_FILE_MODE | most)


def _umask() -> int:
    """Return the umask, which can be read only by setting it: to a strict one, for other threads may make files."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


@contextmanager
def temporary_folder(path: Path) -> Iterator[Path]:
    """A new folder beside `path`, which vanishes when the block does not end well."""
    temporary = make_hidden_folder(path)
    try:
        yield temporary
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """A temporary folder that takes the place of `path` when the block ends well, and vanishes when it does not.

    A folder at `path` is replaced as a whole: the caller checks that it may be. What killed calls for the same path
    left is deleted: folders with a file `.adapt-unfinished` that no living process has locked.
    """
    from filelock import FileLock

    _delete_unfinished(path)
    with temporary_folder(path) as temporary:
        with FileLock(temporary / _UNFINISHED):
            yield temporary
            (temporary / _UNFINISHED).unlink(missing_ok=True)
            unlock(temporary)
        if path.is_dir() and not path.is_symlink() and any(path.iterdir()):
            earlier = Path(f"{temporary}.replaced")
            os.rename(path, earlier)
            os.replace(temporary, path)
            shutil.rmtree(earlier, ignore_errors=True)
        else:
            os.replace(temporary, path)


def _delete_unfinished(path: Path) -> None:
    from filelock import FileLock, Timeout

    for folder in path.parent.glob(f".{glob.escape(path.name)}.????????"):
        held = folder / _UNFINISHED
        if folder.is_symlink() or held.is_symlink() or not held.is_file():
            continue
        with suppress(Timeout), FileLock(held, blocking=False):  # another call for this path writes it
            shutil.rmtree(folder)
