"""Files of what was kept of each row, memory-mapped; later runs find them by their key."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import attrs
import torch

from adapt_core.hf.frozen.values import Kept

_INDEX = "complete.json"
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

    def _count(self, kept: Kept) -> int:
        if kept.form != "tokens":
            return self.rows
        assert self.offsets is not None
        return int(self.offsets[-1])

    @property
    def exist(self) -> bool:
        """Whether an earlier run finished the store."""
        return (self.folder / _INDEX).is_file()

    def open(self, unfinished: Path | None = None) -> Store:
        """Map the files.

        Args:
            unfinished: what `begin` returned, to write to; None to read the finished store.
        """
        where, shared = unfinished or self.folder, unfinished is not None
        tensors = []
        for number, kept in enumerate(self.kept):
            size = self._count(kept) * int(torch.Size(kept.rest).numel())
            mapped = torch.from_file(str(where / f"{number}.bin"), shared=shared, size=size, dtype=kept.dtype)
            tensors.append(mapped.view(self._count(kept), *kept.rest))
        return Store(tensors, self.kept, self.offsets)

    def begin(self) -> Path:
        """Make a folder with empty files for a store that is not finished, and return it.

        Raises:
            OSError: the disk is full.
        """
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        for left in self.folder.parent.glob("*.part-*"):  # of runs that were killed
            if time.time() - left.stat().st_mtime > _ABANDONED:
                shutil.rmtree(left, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(prefix=f"{self.folder.name}.part-", dir=self.folder.parent))
        for number, kept in enumerate(self.kept):
            with (folder / f"{number}.bin").open("wb") as file:
                # Writing to a mapped page for which the disk has no room would kill the process.
                os.posix_fallocate(file.fileno(), 0, max(1, kept.bytes_each * self._count(kept)))
        return folder

    def finish(self, folder: Path, facts: dict[str, object]) -> None:
        """Give an unfinished folder its name, unless another run was first.

        Args:
            folder: what `begin` returned.
            facts: for readers of the folder.
        """
        (folder / _INDEX).write_text(json.dumps({"rows": self.rows, **facts}, indent=1) + "\n", encoding="utf-8")
        try:
            os.rename(folder, self.folder)
        except OSError:
            shutil.rmtree(folder)
            if not self.exist:
                raise
