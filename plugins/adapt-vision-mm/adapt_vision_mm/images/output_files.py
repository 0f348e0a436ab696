"""Names of the images that `adapt predict` writes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path


def shown_path(path: Path) -> str:
    """Return a path as predictions name it: relative to the working directory, where it is below that."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def number_outputs(folder: Path, inputs: Sequence[Path]) -> Iterator[Path]:
    """Yield the path of a PNG in `folder` for each input, with the input's name; repeated names are numbered.

    Args:
        folder: created if it does not exist.
        inputs: image files, from any folders.
    """
    folder.mkdir(exist_ok=True)
    seen: Counter[str] = Counter()
    for path in inputs:
        seen[path.stem] += 1
        number = seen[path.stem]
        yield folder / (f"{path.stem}.png" if number == 1 else f"{path.stem}-{number}.png")
