"""Images from command-line arguments: files, folders of them, and lists of paths."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from adapt_core.errors import InputError

from adapt_vision_mm.images.folders import images_under

LISTS = (".txt", ".jsonl")
COLUMNS = ("image", "file_name", "path")


def image_inputs(arguments: Sequence[str], fault: Callable[[Path], str | None]) -> list[Path]:
    """The images that arguments mean, in order: files, all images in folders, and the paths in lists.

    A list is a .txt file with a path a line, or a .jsonl file whose rows have one in `image`, `file_name` or `path`;
    they are relative to the list's folder.

    Args:
        arguments: paths.
        fault: why an image cannot be used, or None.

    Raises:
        InputError: no image at all, or one that cannot be used.
    """
    files: list[Path] = []
    for argument in arguments:
        path = Path(argument).expanduser()
        if path.is_dir():
            found, _ = images_under(path)
            if not found:
                raise InputError(f"the folder {argument} holds no image.")
            files.extend(found)
        elif path.suffix.casefold() in LISTS and path.is_file():
            files.extend(_listed(path))
        else:
            files.append(path)
    if not files:
        raise InputError("adapt predict needs at least one image file or folder.")
    for file in files:
        wrong = fault(file)
        if wrong:
            raise InputError(f"{file} {wrong}.")
    return files


def _listed(path: Path) -> Iterator[Path]:
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if line.strip():
            yield path.parent / (_place(line, f"{path}:{number}") if path.suffix == ".jsonl" else line.strip())


def _place(line: str, where: str) -> str:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise InputError(f"{where}: no JSON: {error}.") from None
    name = next((name for name in COLUMNS if isinstance(row, dict) and name in row), None)
    if name is None or not isinstance(row[name], str):
        raise InputError(f"{where}: no path of an image in {', '.join(COLUMNS)}.")
    return str(row[name])
