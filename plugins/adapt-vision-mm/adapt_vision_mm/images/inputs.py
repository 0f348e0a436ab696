"""Images from command-line arguments: files, folders of them, and lists of paths."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from adapt_core.errors import InputError

from adapt_vision_mm.images.folders import find_images
from adapt_vision_mm.images.rows import beside, image_files

LISTS = (".txt", ".jsonl")
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
    files: list[Path] = []
    for argument in arguments:
        path = Path(os.path.expanduser(argument))
        if os.path.isdir(path):  # the methods of Path raise where an argument is longer than any file's name
            found = find_images(path).images
            if not found:
                raise InputError(f"the folder {argument} has no images. Give a folder that has some.")
            files.extend(found)
        elif path.suffix.casefold() == ROWS and os.path.isfile(path):
            files.extend(image_files(path, COLUMNS))
        elif path.suffix.casefold() in LISTS and os.path.isfile(path):
            files.extend(_read_list(path))
        else:
            files.append(path)
    if not files:
        raise InputError("adapt predict needs at least one image file or folder.")
    for file in files:
        defect = find_defect(file)
        if defect:
            raise InputError(f"{file} {defect}. Give an image, or a folder of them.")
    return files


def _read_list(path: Path) -> Iterator[Path]:
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if line.strip():
            yield beside(path, _path_of(line, f"{path}:{number}") if path.suffix == ".jsonl" else line.strip())


def _path_of(line: str, where: str) -> str:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise InputError(f"{where}: not valid JSON: {error}. Correct the line.") from None
    name = next((name for name in COLUMNS if isinstance(row, dict) and name in row), None)
    if name is None or not isinstance(row[name], str):
        raise InputError(f"{where}: no image path in {', '.join(COLUMNS)}. Add one.")
    return str(row[name])
