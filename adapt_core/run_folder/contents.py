"""Files that a run wrote: what is in them, moved and deleted without touching those of others."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path, PurePath
from typing import Any

from adapt_core.run_folder.files import digest_of
from adapt_core.run_folder.names import CHECKPOINTS, MARKER

MANIFEST = "manifest.json"
"""The file in a checkpoint that lists its files and marks it as complete."""

Content = dict[str, list[Any]]
"""Relative path -> [size, XXH3-128] of each file; "" for a file itself."""


def remove(path: Path, content: Mapping[str, Any] | None) -> None:
    """Delete a file or folder that a run wrote. Where its content is known, other files in a folder stay.

    Args:
        path: the file or folder; a link is left alone.
        content: the files in it, or None where they were not recorded.
    """
    if path.is_symlink():
        return
    if not path.is_dir():
        path.unlink(missing_ok=True)
        return
    listed = listed_files(path) if content is None else content
    if listed is None:
        if path.name == CHECKPOINTS:
            with suppress(OSError):
                path.rmdir()
        else:
            shutil.rmtree(path)
        return
    for name in listed:
        if name != MANIFEST and stays_inside(path, name):
            (path / name).unlink(missing_ok=True)
    _remove_empty(path)
    # The manifest tells a checkpoint's files from others: it stays as long as there are others.
    if MANIFEST in listed and path.is_dir() and os.listdir(path) == [MANIFEST]:
        (path / MANIFEST).unlink()
        _remove_empty(path)


def _remove_empty(path: Path) -> None:
    for inside, _, _ in os.walk(path, topdown=False):
        with suppress(OSError):
            os.rmdir(inside)


def stays_inside(folder: Path, name: str) -> bool:
    """Return whether a relative name leads to a place inside a folder: records may come from elsewhere."""
    parts = PurePath(name).parts
    if PurePath(name).is_absolute() or ".." in parts:
        return False
    return not any((folder / Path(*parts[:depth])).is_symlink() for depth in range(1, len(parts)))


def listed_files(checkpoint: Path) -> list[str] | None:
    """Return the files of a complete checkpoint, its manifest the last, or None."""
    try:
        files = json.loads((checkpoint / MANIFEST).read_text(encoding="utf-8"))["files"]
        return [*files, MANIFEST] if all(stays_inside(checkpoint, name) for name in files) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def content_of(path: Path) -> Content:
    """Return size and digest of each file of a path."""
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    return {
        "" if file == path else str(file.relative_to(path)): [file.stat().st_size, digest_of(file)] for file in files
    }


def differences(path: Path, content: Content | None, *, is_checkpoint: bool) -> Iterator[tuple[str, str]]:
    """Yield files in a path that are not as recorded, and the reason."""
    if is_checkpoint:
        listed = listed_files(path)
        if listed is None:
            return
        for file in sorted(path.rglob("*")):
            if not file.is_dir() and str(file.relative_to(path)) not in listed:
                yield str(file.relative_to(path)), ""
        return
    if content is None:
        return
    for file in [path] if not path.is_dir() else sorted(path.rglob("*")):
        name = "" if file == path else str(file.relative_to(path))
        if file.is_symlink() or (name not in content and not file.is_dir()):
            yield name, ""
        elif file.is_file() and (file.stat().st_size != content[name][0] or digest_of(file) != content[name][1]):
            yield name, "changed"


def move(names: list[str], source: Path, target: Path) -> list[str]:
    """Move names between a run folder and the folder of the replaced run; what has moved already is skipped.

    Returns:
        the names that did not move because the target has something of that name.
    """
    in_the_way = []
    for name in names:
        if name == CHECKPOINTS:
            continue
        if name.startswith(f"{CHECKPOINTS}/"):
            (target / CHECKPOINTS).mkdir(exist_ok=True)
        if os.path.lexists(source / name):
            if os.path.lexists(target / name):
                in_the_way.append(name)
            else:
                os.rename(source / name, target / name)
    with suppress(OSError):
        (source / CHECKPOINTS).rmdir()
    return in_the_way


def delete_emptied(aside: Path) -> None:
    """Delete the folder of a run that was put back, unless something is left in it: its record tells whose."""
    if all(path.name == MARKER for path in aside.iterdir()):
        (aside / MARKER).unlink(missing_ok=True)
        with suppress(OSError):
            aside.rmdir()
