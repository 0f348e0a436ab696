"""The images of an export as they are written."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs

log = logging.getLogger(__name__)


@attrs.frozen(kw_only=True)
class Entry:
    """An image of an export, as it is written.

    Attributes:
        file: the export.
        where: the place in it, for messages.
        names: of the image, the one that counts most first.
        size: (width, height); a side of 0 is not given.
        content: what the format reads the objects from.
        is_bare: whether it has no object.
        subset: what it says it belongs to, as it is written; empty where it says nothing.
        split: the split that this is; None where it is none that is known.
        fault: why it cannot be read.
    """

    file: Path
    where: str
    names: Sequence[str] = ()
    size: tuple[float, float] = (0, 0)
    content: Any = None
    is_bare: bool = False
    subset: str = ""
    split: str | None = None
    fault: str | None = None


@attrs.frozen
class Export:
    """The files of a split.

    Attributes:
        entries: their images in order.
        classes: the names that they list, in their order; empty where they list none.
    """

    entries: Sequence[Entry]
    classes: Sequence[str] = ()


def entries_of(entries: Sequence[Entry], split: str, *, is_own: bool) -> Sequence[Entry]:
    """Return the images of a split: never those that say they belong to another.

    What says nothing, or names an unknown subset, is training where others say where they belong. In the split's own
    file it is of that split, unless images there name the split.

    Args:
        entries: all of the files.
        split: "train", "val" or "test".
        is_own: whether the files are those of the split, not those of training.
    """
    named = [entry for entry in entries if entry.split == split]
    free = [entry for entry in entries if entry.split is None]
    if len(free) == len(entries):
        return entries if is_own else ()
    is_read = split == "train" or (is_own and not named)
    if free and is_own:
        subsets = ", ".join(sorted({repr(entry.subset) if entry.subset else "none" for entry in free}))
        log.warning(
            "%s: %d images belong to no subset of a known name (%s): they are %s",
            free[0].file,
            len(free),
            subsets,
            f"read as the {split} split" if is_read else f"left out of the {split} split",
        )
    return [entry for entry in entries if entry.split == split or (entry.split is None and is_read)]
