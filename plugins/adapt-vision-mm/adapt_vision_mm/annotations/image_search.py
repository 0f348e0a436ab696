"""The image that an annotation tool means by a path, a name or an address which it had elsewhere."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import attrs

log = logging.getLogger(__name__)

_ADDRESS = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+://")
_UPLOADED = re.compile(r"^[0-9a-f]{8}-")
"""What Label Studio puts before the name of a file that is uploaded."""


@attrs.define
class ImageSearch:
    """Finds the images of an export.

    Args:
        source: the export, for the warning about images outside of the data.
        root: CUSTOM_DATASET_PATH.
        folders: where images may be, the likeliest first.
    """

    source: str
    root: Path
    folders: Sequence[Path]
    _inside: list[Path] = attrs.field(init=False)
    _outside: list[Path] = attrs.field(factory=list, init=False)

    @_inside.default
    def _resolved(self) -> list[Path]:
        return [folder.resolve() for folder in (self.root, *self.folders)]

    def find(self, written: str) -> Path | None:
        """Return the file that a tool wrote the path of, or None.

        A relative path is looked for as it is, and without its first folders; of an address, the path on its server is.
        An absolute path is that of another machine where a file of its name is in the data.
        """
        path = _path_of(written)
        parts = [part for part in path.split("/") if part not in ("", ".")]
        if not parts:
            return None
        tails = ["/".join(parts[start:]) for start in range(len(parts)) if ".." not in parts[start:]]
        bare = _UPLOADED.sub("", parts[-1])
        whole = "/".join(parts)
        candidates = [whole, *tails, *([bare] if bare != parts[-1] else [])]
        for name in dict.fromkeys(candidates):
            found = next((folder / name for folder in self.folders if os.path.isfile(folder / name)), None)
            if found is not None:
                return self._told(found)
        absolute = Path(path)
        if absolute.is_absolute() and not _ADDRESS.match(written) and os.path.isfile(absolute):
            return self._told(absolute)
        return None

    def warn_of_outside(self) -> None:
        """Say which images lie outside of the data, by their number and the first."""
        if self._outside:
            log.warning(
                "%s names images outside of CUSTOM_DATASET_PATH, which are read: %s (%d in all)",
                self.source,
                self._outside[0],
                len(self._outside),
            )

    def _told(self, found: Path) -> Path:
        if not any(found.resolve().is_relative_to(folder) for folder in self._inside):
            self._outside.append(found)
        return Path(os.path.normpath(found))


def is_address(written: str) -> bool:
    """Return whether a tool had an image on a server."""
    return _ADDRESS.match(written) is not None


def _path_of(written: str) -> str:
    """Return the path in what a tool wrote: with / between folders, of an address what follows its server."""
    text = written.strip().replace("\\", "/")
    if re.match(r"[a-zA-Z]:/", text):
        return text[2:]
    if not is_address(text) and not text.startswith("/data/"):
        return text
    split = urlsplit(text)
    served = parse_qs(split.query).get("d")  # Label Studio's local files: ?d=folder/a.jpg
    return served[0].replace("\\", "/") if served else unquote(split.path)
