"""The images of an export as they are written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs


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
        split: the split that it says it belongs to.
        fault: why it cannot be read.
    """

    file: Path
    where: str
    names: Sequence[str] = ()
    size: tuple[float, float] = (0, 0)
    content: Any = None
    is_bare: bool = False
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
