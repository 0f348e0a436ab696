"""Images from command-line arguments: files, folders of them, and lists of paths."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from adapt_core.errors import InputError
from adapt_core.hf.tasks.inputs import require_inputs

from adapt_vision_mm.images.folders import IMAGE_LISTS, find_images
from adapt_vision_mm.images.rows import NoImage, beside, image_files

ROWS = ".parquet"
COLUMNS = ("image", "file_name", "path")


def read_image_inputs(arguments: Sequence[str], find_defect: Callable[[Path], str | None]) -> list[Path]:
    """Return the images that the arguments name, in order: files, all images in folders, and the paths in lists.

    A list is a .txt file with one path per line, or a .jsonl or .parquet file whose rows have one in `image`,
    `file_name` or `path`; those of parquet may have the image itself. Paths are relative to the list's folder, or else
    to the working directory.

    Args:
        arguments: paths.
        find_defect: returns why an image cannot be used, or None.

    Raises:
        InputError: there is no image, or one that cannot be used.
    """
    items = list(_iterate(arguments))
    require_inputs(_fault(item, find_defect) for item in items)
    return _require_files(items)


def list_images(arguments: Sequence[str]) -> list[Path]:
    """Return the images that the arguments name, as `read_image_inputs` does, without looking into them.

    Raises:
        InputError: there is none, or a row of a list names none.
    """
    return _require_files(list(_iterate(arguments)))


def _fault(item: Path | NoImage, find_defect: Callable[[Path], str | None]) -> str | None:
    if isinstance(item, NoImage):
        return item.fault
    defect = find_defect(item)
    return f": {item} {defect}. Give an image, or a folder of them." if defect else None


def _require_files(items: Sequence[Path | NoImage]) -> list[Path]:
    if not items:
        raise InputError("adapt predict needs at least one image file or folder.")
    require_inputs(item.fault if isinstance(item, NoImage) else None for item in items)
    return [item for item in items if isinstance(item, Path)]


def _iterate(arguments: Sequence[str]) -> Iterator[Path | NoImage]:
    for argument in arguments:
        path = Path(os.path.expanduser(argument))
        if os.path.isdir(path):  # the methods of Path raise where an argument is longer than any file's name
            found = find_images(path).images
            if not found:
                raise InputError(f"the folder {argument} has no images. Give a folder that has some.")
            yield from found
        elif path.suffix.casefold() == ROWS and os.path.isfile(path):
            yield from image_files(path, COLUMNS)
        elif path.suffix.casefold() in IMAGE_LISTS and os.path.isfile(path):
            yield from _read_list(path)
        else:
            yield path


def _read_list(path: Path) -> Iterator[Path | NoImage]:
    is_rows = path.suffix.casefold() == ".jsonl"
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), start=1):
        if not line.strip():
            continue
        name = _path_of(line, f"{path}:{number}") if is_rows else line.strip()
        if name is None:
            yield NoImage(f": {path}:{number}: no image path in {', '.join(COLUMNS)}. Add one.")
        else:
            yield beside(path, name)


def _path_of(line: str, where: str) -> str | None:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise InputError(f"{where}: not valid JSON: {error}. Correct the line.") from None
    name = next((row[name] for name in COLUMNS if isinstance(row, dict) and name in row), None)
    return name if isinstance(name, str) and name else None
