"""Images in the rows of a parquet file, such as rows in memory become: written into the cache, as any other files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import attrs

from adapt_core.errors import InputError
from adapt_core.run_folder.files import digest_of, write_bytes


@attrs.frozen
class NoImage:
    """A row that names no image.

    Attributes:
        fault: what follows "input 3" in the message of a `BadInputsError`.
    """

    fault: str


def image_files(path: Path, columns: Sequence[str]) -> Iterator[Path | NoImage]:
    """Yield the image file of each row: where the row has bytes, a copy in the cache of data sets.

    Args:
        path: a parquet file.
        columns: the first of these that the file has is read: paths, bytes, or the images of `datasets`.

    Raises:
        InputError: the file cannot be read, or has no such column.
    """
    from datasets import config
    from pyarrow import ArrowException, parquet

    try:
        table = parquet.read_table(path)
    except (ArrowException, OSError) as error:
        raise InputError(
            f"{path} cannot be read as parquet: {' '.join(str(error).split())[:200]}. Write the file again."
        ) from None
    name = next((name for name in columns if name in table.column_names), None)
    if name is None:
        raise InputError(f"{path}: no column {', '.join(columns)}. Name the column of the images so.")
    folder = Path(config.HF_DATASETS_CACHE) / "adapt" / f"images-{digest_of(path)}"
    folder.mkdir(parents=True, exist_ok=True)
    for number, value in enumerate(table[name].to_pylist(), start=1):
        content = _content(value)
        if content is None:
            yield NoImage(f": {path}: row {number} has no image in {name}. Give a path, bytes or an image.")
            continue
        if isinstance(content, str):
            yield beside(path, content)
            continue
        copy = folder / f"row-{number}.png"  # readers go by the content
        if not copy.is_file():
            write_bytes(copy, content)
        yield copy


def beside(table: Path, name: str) -> Path:
    """Return the file that a list or table names: relative to its folder, or else to the working directory."""
    near = table.parent / name
    return Path(name) if os.path.isfile(name) and not os.path.isfile(near) else near


def _content(value: Any) -> bytes | str | None:
    """Return the bytes or the path of an image, as a column of either, or of `datasets.Image`, has it."""
    if isinstance(value, dict):
        value = value.get("bytes") or value.get("path")
    return value if isinstance(value, (bytes, str)) and value else None
