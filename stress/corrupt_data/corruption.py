"""One corruption of a data set."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random

import attrs


@attrs.frozen
class Corruption:
    """A name, and a function that corrupts a folder with a small valid data set.

    Attributes:
        name: unique within a job.
        apply: (folder, dice) -> None.
        accepted: True where the data set is still good and must be trained on; False where it must be refused; None
            where both are right.
    """

    name: str
    apply: Callable[[Path, Random], None]
    accepted: bool | None = None
