"""Where the images go that `adapt predict` draws on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path


def drawn_files(folder: Path, inputs: Sequence[Path]) -> Iterator[Path]:
    """A PNG in `folder` for each input, named as it is; of inputs of one name the later ones are numbered.

    Args:
        folder: is created.
        inputs: image files, from any folders.
    """
    folder.mkdir(exist_ok=True)
    seen: Counter[str] = Counter()
    for path in inputs:
        seen[path.stem] += 1
        number = seen[path.stem]
        yield folder / (f"{path.stem}.png" if number == 1 else f"{path.stem}-{number}.png")
