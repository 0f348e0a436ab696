"""Names of a run folder that are being put into place: made under a hidden name, recorded, then renamed.

While the hidden one is there, nothing of the run's has the name: after a kill, a file of that name is somebody else's,
and the hidden one is deleted.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from adapt_core.run_folder.contents import Content
from adapt_core.run_folder.names import MARKER

_RECORD = '{\n "format": '
"""How a record of a run folder begins."""


@attrs.frozen
class Placement:
    """What is about to be renamed.

    Attributes:
        hidden: the name that it has until then, beside its place.
        content: of what takes the place; {} of something empty that will grow; None while it is being written.
    """

    hidden: str
    content: Content | None = None

    @classmethod
    def of(cls, name: str, data: Mapping[str, Any]) -> Placement:
        """Return a placement of a record.

        Raises:
            ValueError: the hidden name is none that a run makes for `name`.
        """
        if not re.fullmatch(rf"\.{re.escape(Path(name).name)}\.[a-z0-9_]{{8}}", data["hidden"]):
            raise ValueError(f"{data['hidden']!r} is not a name that a run writes")
        return cls(data["hidden"], data["content"])

    def is_waiting(self, folder: Path, name: str) -> bool:
        """Return whether the renaming is still to come."""
        return self.content is None or os.path.lexists(self.path(folder, name))

    def path(self, folder: Path, name: str) -> Path:
        """Return the hidden file or folder."""
        return (folder / name).parent / self.hidden


def delete_hidden(folder: Path, placements: Mapping[str, Placement]) -> None:
    """Delete what killed commands left under hidden names in a run folder, which the caller holds."""
    for name, placement in placements.items():
        path = placement.path(folder, name)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.is_file() and not path.is_symlink():
            path.unlink()
    for path in folder.glob(f".{MARKER}.????????"):
        if path.is_file() and not path.is_symlink() and _is_record(path):
            path.unlink()


def _is_record(path: Path) -> bool:
    """Return whether a file is a record of a run folder, or the beginning of one."""
    with path.open("rb") as file:
        begins = file.read(len(_RECORD)).decode("utf-8", errors="replace")
    return _RECORD.startswith(begins) if len(begins) < len(_RECORD) else begins == _RECORD
