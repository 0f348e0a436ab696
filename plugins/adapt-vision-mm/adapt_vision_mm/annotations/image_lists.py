"""Text files with one image name per line, as Pascal VOC and label maps use them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from adapt_core.errors import DataError


def read_image_list(path: Path) -> list[str]:
    """Return the first word of each line that is not blank.

    Raises:
        DataError: the file cannot be read, is empty, or names an image twice.
    """
    try:
        names = [line.split()[0] for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as a list of image names: {error}.") from None
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if not names or repeated:
        raise DataError(f"{path} {'is empty' if not names else f'names {repeated[0]!r} twice'}.")
    return names
