"""Files of what was kept of each row, memory-mapped; later runs find them by their key."""

from __future__ import annotations

import json
import os
import shutil
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import attrs
import torch

from adapt_core.hf.frozen.values import Kept

INDEX = "complete.json"
"""The file of a finished folder, by which `make_room` finds it, and by whose time it knows when it was used."""
FOLDERS = 3
"""Folders of the greatest size (FROZEN_CACHE_GB) that may be on disk, those of earlier runs among them."""
_BLOCK = 2**24
_ABANDONED = 24 * 3600.0
"""Seconds after which an unfinished folder is nobody's."""


@attrs.frozen(eq=False)
class Store:
    """What was kept of the rows of a split.

    Attributes:
        tensors: in the order of `kept`: (rows or tokens of all rows, *rest), memory-mapped.
        kept: what they are.
        offsets: int64 tensor (rows + 1,): the first token of each row; None where rows have no tokens.
    """

    tensors: Sequence[torch.Tensor]
    kept: Sequence[Kept]
    offsets: torch.Tensor | None

    def read(self, rows: torch.Tensor) -> list[torch.Tensor]:
        """Return what was kept of some rows, in the order of `kept`."""
        return [
            tensor[self._tokens(rows) if kept.form == "tokens" else rows]
            for kept, tensor in zip(self.kept, self.tensors, strict=True)
        ]

    def write(self, rows: torch.Tensor, values: Sequence[torch.Tensor]) -> None:
        """Write what `Recorded.take` returned of some rows."""
        for kept, tensor, value in zip(self.kept, self.tensors, values, strict=True):
            tensor[self._tokens(rows) if kept.form == "tokens" else rows] = value.cpu()

    def _tokens(self, rows: torch.Tensor) -> torch.Tensor:
        assert self.offsets is not None
        starts, lengths = self.offsets[rows], self.offsets[rows + 1] - self.offsets[rows]
        before = lengths.cumsum(0) - lengths
        return torch.arange(int(lengths.sum())) + (starts - before).repeat_interleave(lengths)


@attrs.frozen(kw_only=True)
class Files:
    """The files of a store.

    Attributes:
        folder: of the finished store.
        kept: what is kept of a row.
        rows: their number.
        offsets: see `Store`.
    """

    folder: Path
    kept: Sequence[Kept]
    rows: int
    offsets: torch.Tensor | None

    @property
    def bytes(self) -> int:
        """The bytes that the store takes on disk."""
        return sum(kept.bytes_each * self._count(kept) for kept in self.kept)

    def _size(self, kept: Kept) -> int:
        return max(1, kept.bytes_each * self._count(kept))

    def _count(self, kept: Kept) -> int:
        if kept.form != "tokens":
            return self.rows
        assert self.offsets is not None
        return int(self.offsets[-1])

    @property
    def exist(self) -> bool:
        """Whether an earlier run finished the store, and this user may read all of it."""
        sizes = {self.folder / f"{number}.bin": self._size(kept) for number, kept in enumerate(self.kept)}
        try:
            (self.folder / INDEX).read_bytes()
            return all(file.stat().st_size == size and os.access(file, os.R_OK) for file, size in sizes.items())
        except OSError:  # absent, or another user's
            return False

    def open(self, unfinished: Path | None = None) -> Store:
        """Map the files.

        Args:
            unfinished: what `begin` returned, to write to; None to read the finished store.
        """
        where, shared = unfinished or self.folder, unfinished is not None
        if unfinished is None:
            with suppress(OSError):  # another user's
                os.utime(self.folder / INDEX)  # for `make_room`
        tensors = []
        for number, kept in enumerate(self.kept):
            size = self._count(kept) * int(torch.Size(kept.rest).numel())
            mapped = torch.from_file(str(where / f"{number}.bin"), shared=shared, size=size, dtype=kept.dtype)
            tensors.append(mapped.view(self._count(kept), *kept.rest))
        return Store(tensors, self.kept, self.offsets)

    def begin(self) -> Path:
        """Make a folder with files of zeros for a store that is not finished, and return it.

        Raises:
            OSError: the disk is full, or the place of the finished store is taken by what cannot be moved.
        """
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        for left in self.folder.parent.glob("*.part-*"):  # of runs that were killed
            if time.time() - left.stat().st_mtime > _ABANDONED:
                shutil.rmtree(left, ignore_errors=True)
        self._clear()
        folder = self._part()
        folder.mkdir()
        try:
            for number, kept in enumerate(self.kept):
                with (folder / f"{number}.bin").open("wb") as file:
                    _reserve(file, self._size(kept))
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return folder

    def _clear(self) -> None:
        """Move a damaged store aside, where it stands in the way of a new one."""
        if self.folder.exists() and not self.exist:
            aside = self._part()
            os.rename(self.folder, aside)
            shutil.rmtree(aside, ignore_errors=True)

    def _part(self) -> Path:
        """Return a new name beside the store. A folder of that name is anybody's to read, as umask allows."""
        return self.folder.with_name(f"{self.folder.name}.part-{uuid.uuid4().hex}")

    def finish(self, folder: Path, facts: dict[str, object]) -> None:
        """Give an unfinished folder its name, unless another run was first.

        Args:
            folder: what `begin` returned.
            facts: for readers of the folder.
        """
        (folder / INDEX).write_text(json.dumps({"rows": self.rows, **facts}, indent=1) + "\n", encoding="utf-8")
        self._clear()
        try:
            os.rename(folder, self.folder)
        except OSError:
            shutil.rmtree(folder)
            if not self.exist:
                raise


def make_room(folder: Path, most: int) -> None:
    """Delete finished stores, those used longest ago first, until the others take no more than some bytes.

    Args:
        folder: of all stores.
        most: bytes.
    """
    found = []
    for index in folder.glob(f"*/{INDEX}"):
        with suppress(OSError):  # another process deletes it too, or it is another user's
            taken = sum(file.stat().st_size for file in index.parent.iterdir())
            found.append((index.stat().st_mtime, index.parent, taken))
    total = sum(taken for _, _, taken in found)
    for _, store, taken in sorted(found):
        if total <= most:
            break
        shutil.rmtree(store, ignore_errors=True)  # who has mapped its files goes on reading them
        total -= taken


def _reserve(file: BinaryIO, size: int) -> None:
    """Fill a file with zeros: writing to a mapped page for which the disk has no room would kill the process."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, size)
        return
    for start in range(0, size, _BLOCK):  # macOS and Windows
        file.write(bytes(min(_BLOCK, size - start)))
