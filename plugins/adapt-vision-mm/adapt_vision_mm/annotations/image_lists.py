"""Text files with one image name per line, as Pascal VOC and label maps use them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from adapt_core.errors import DataError

from adapt_vision_mm.annotations.image_files import SUFFIXES

_MARKS = ("-1", "0", "1")


def read_image_list(path: Path) -> list[str]:
    """Return the names without suffix, one from each line that is not blank.

    VOC's lists of one class have -1, 0 or 1 after each name, and only there is the last word not part of the name.

    Raises:
        DataError: the file cannot be read, is empty, or names an image twice.
    """
    try:
        names = [line.strip() for line in path.read_text(encoding="utf-8-sig").split("\n") if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as a list of image names: {error}. Write it as UTF-8 text.") from None
    pairs = [name.rsplit(maxsplit=1) for name in names]
    bare = [pair[0] for pair in pairs if len(pair) == 2 and pair[1] in _MARKS]
    if len(set(bare)) == len(names):
        names = bare
    names = [name[: -len(end)] if (end := Path(name).suffix).casefold() in SUFFIXES else name for name in names]
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if not names or repeated:
        raise DataError(f"{path} {'is empty' if not names else f'names {repeated[0]!r} twice'}. Correct it.")
    return names
