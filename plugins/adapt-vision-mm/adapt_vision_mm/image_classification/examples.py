"""Images, classes and groups as checks of the data see them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, overload

import attrs

from adapt_core.contracts import Examples
from adapt_core.hf.data.examples import groups_of
from adapt_core.hf.problems.kinds import REGRESSION
from adapt_core.hf.problems.targets import labels_of

from adapt_vision_mm.image_classification.sources import ImageValue, image_source

if TYPE_CHECKING:
    from adapt_core.config.plan import Plan

    from adapt_vision_mm.image_classification.data import Rows
    from adapt_vision_mm.image_classification.params import ImageClassificationParams


@attrs.frozen
class Sources(Sequence[Path | bytes]):
    """The files or bytes of an image column; bytes are read when they are asked for."""

    values: Sequence[ImageValue]
    base: tuple[Path, ...]

    def __len__(self) -> int:
        return len(self.values)

    @overload
    def __getitem__(self, position: int) -> Path | bytes: ...
    @overload
    def __getitem__(self, position: slice) -> Sequence[Path | bytes]: ...
    def __getitem__(self, position: int | slice) -> Path | bytes | Sequence[Path | bytes]:
        if isinstance(position, slice):
            return [self[row] for row in range(*position.indices(len(self)))]
        return image_source(self.values[position], self.base)


def examples_of(rows: Rows, plan: Plan[ImageClassificationParams]) -> dict[str, Examples]:
    """Return the images of each split with their labels; of numbers with none."""
    found = {}
    problem = rows.choice.targets
    for split, dataset in rows.splits.items():
        images, targets = rows.columns(split)
        labels = [] if problem.kind == REGRESSION else [labels_of(target, problem.names) for target in targets]
        found[split] = Examples(images=Sources(images, rows.base), labels=labels, groups=groups_of(dataset, plan))
    return found
