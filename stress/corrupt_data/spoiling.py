"""One way of spoiling a data set."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random

import attrs


@attrs.frozen
class Spoiling:
    """A name, and what it does to a folder that holds a small whole data set.

    Attributes:
        name: unique within a job.
        spoil: (folder, dice) -> None.
        accepted: True where the data set is still good and must be trained on; False where it must be refused; None
            where both are right.
    """

    name: str
    spoil: Callable[[Path, Random], None]
    accepted: bool | None = None
