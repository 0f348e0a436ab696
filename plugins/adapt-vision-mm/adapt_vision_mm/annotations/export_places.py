"""Where the exports of an annotation tool lie: files that are known by their beginning."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Protocol

from adapt_core.contracts.format import Place

from adapt_vision_mm.annotations.coco_images import SPLIT_FOLDERS, split_named_by
from adapt_vision_mm.annotations.sources import split_of

_BEGINNING = 2**16
"""Bytes of a file that show what it is."""
_LOOKED_AT = 20
"""Files of a folder that are opened to see what they are."""

_TOP = ("", "annotations", "labels", "images")
"""Folders of a data set that may have files of several splits."""
_OWN = ("labels/{}", "annotations/{}", "images/{}", "{}/annotations", "{}")
"""Folders of one split; {} is its name."""


class Kind(Protocol):
    """Exports of a tool, see `ExportFormat`."""

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Of its files."""

    @property
    def per_image(self) -> bool:
        """Whether a file has one image, whose name it bears."""

    def looks(self, beginning: str) -> bool:
        """Return whether a file is one of these, by its first characters."""


def beginning_of(file: Path) -> str:
    """Return the first characters of a file; none where it cannot be read."""
    try:
        with file.open("rb") as stream:
            return stream.read(_BEGINNING).decode("utf-8-sig", "replace")
    except OSError:
        return ""


def find_exports(place: Place, kind: Kind, *, all_files: bool) -> list[Path]:
    """Return the exports of a split, sorted by name.

    They are the files that the config names; else those in TRAIN_DIR, VAL_DIR or TEST_DIR; else those that bear the
    split's name, or lie in a folder that does. The training split has all that lie together where none bears the name
    of a split. Files that are named like their images have no split by their names, only by their folders.

    Args:
        place: of the split.
        kind: what is looked for; asked about files that are not named.
        all_files: False: only the first few files of each folder are opened.
    """
    given = [file for file in place.files if file.suffix.casefold() in kind.suffixes]
    is_default = kind.per_image and all(split_named_by(file) is not None for file in given)
    if place.named is not None or (given and not is_default):
        return given

    def within(folder: Path) -> list[Path]:
        files = sorted(path for suffix in kind.suffixes for path in folder.glob(f"[!.]*{suffix}") if path.is_file())
        return [file for file in islice(files, None if all_files else _LOOKED_AT) if kind.looks(beginning_of(file))]

    def named_by(file: Path) -> str | None:
        return None if kind.per_image else split_named_by(file)

    split = split_of(place)
    if place.folder is not None:
        found = within(place.folder)
        if found or split != "train":
            return found
    names = [folder.format(name) for name in SPLIT_FOLDERS[split] for folder in _OWN]
    own = [path for name in names for path in within(place.root / name)]
    top = [within(place.root / name) for name in _TOP]
    own += [path for files in top for path in files if named_by(path) == split]
    if own or split != "train":
        return sorted(dict.fromkeys(own))
    general = ([path for path in files if named_by(path) is None] for files in top)
    return next(filter(None, general), given)
