"""Rows in memory as data files: written into the cache under a digest of their content, and read as any other data.

So worker processes read them too, a resumed run notices other rows, and what was tokenized is found again.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import xxhash

from adapt_core.errors import InputError
from adapt_core.run_folder.files import digest_of

if TYPE_CHECKING:
    import numpy
    from datasets import Dataset
    from pandas import DataFrame
    from PIL import Image as PillowImage

_BATCH = 10_000

_WRITABLE = {"HSV": "RGB", "RGBa": "RGBA", "La": "LA"}
"""Modes of Pillow that neither PNG nor TIFF can hold, and what they are stored as."""

SPLITS = ("train", "validation", "test")

Rows: TypeAlias = "Sequence[Mapping[str, Any]] | Dataset | DataFrame"
"""Rows of a table: a list of dicts, a datasets.Dataset or a pandas DataFrame."""

Table: TypeAlias = "Sequence[Mapping[str, Any]] | Dataset"
"""Rows that can be counted and chosen by number: a list of dicts or a datasets.Dataset."""

Image: TypeAlias = "PillowImage.Image | numpy.ndarray[Any, Any]"
"""An image of Pillow, or an array of uint8: (height, width), or (height, width, channels) with 3 or 4 channels."""

Inputs: TypeAlias = "str | Path | Image | Sequence[str | Path] | Sequence[Image] | Rows"
"""What to predict: texts or paths, images, or rows; one or several."""

Data: TypeAlias = "Rows | Mapping[str, Rows]"
"""Rows to train on, or the rows of each split: train, validation, test."""


def is_image(value: object) -> bool:
    """Return whether a value is an `Image`, or an array in its place."""
    return hasattr(type(value), "__array_interface__") and getattr(value, "ndim", 2) > 1


def store_rows(data: Data) -> dict[str, Path]:
    """Write rows into files of the cache, unless they are there.

    A list of dicts becomes a jsonl file, and one with values that JSON lacks (bytes, images) parquet, as Dataset and
    DataFrame do.

    Returns:
        the file of each split, all in one folder.

    Raises:
        InputError: the data has no rows, a split has another name, or rows do not make up a table.
    """
    from datasets import config

    splits: Mapping[str, Rows] = data if isinstance(data, Mapping) else {"train": data}
    strange = [str(name) for name in splits if name not in SPLITS]
    if strange or not splits:
        raise InputError(
            f"data: {strange[0] if strange else 'an empty mapping'!r} is no split. Give rows, or a mapping of "
            f"{', '.join(SPLITS)} to rows."
        )
    cache = Path(config.HF_DATASETS_CACHE) / "adapt"
    cache.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(dir=cache, prefix=".rows."))
    try:
        files = [_write(rows, unfinished, name) for name, rows in splits.items()]
        digest = xxhash.xxh3_128(repr([(file.name, digest_of(file)) for file in files]).encode()).hexdigest()
        folder = cache / f"data-{digest}"
        if not folder.is_dir():
            _rename(unfinished, folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return {file.stem: folder / file.name for file in files}


def as_arguments(inputs: Inputs) -> list[str]:
    """Return inputs as `adapt predict` takes them: texts and paths. Rows and images become a file."""
    if isinstance(inputs, (str, Path)):
        return [str(inputs)]
    if is_image(inputs):
        inputs = [cast("Image", inputs)]
    if isinstance(inputs, Sequence) and all(isinstance(item, (str, Path)) for item in inputs):
        return [str(item) for item in inputs]
    if isinstance(inputs, Sequence) and any(map(is_image, inputs)):
        inputs = [item if isinstance(item, Mapping) else {"image": item} for item in inputs]
    return [str(file) for file in store_rows(cast("Rows", inputs)).values()]


def _rename(unfinished: Path, folder: Path) -> None:
    try:
        os.rename(unfinished, folder)
    except OSError:
        if not folder.is_dir():  # Another process wrote the same rows meanwhile.
            raise


def _write(rows: Rows, folder: Path, split: str) -> Path:
    if isinstance(rows, Sequence) and not isinstance(rows, str):
        for number, row in enumerate(rows, start=1):
            if not isinstance(row, Mapping):
                raise InputError(
                    f"data: row {number} of {split} is {type(row).__name__}: give each row as a dict of columns."
                )
        lines = _json_lines(rows)
        if lines is not None:
            file = folder / f"{split}.jsonl"
            file.write_bytes(lines)
            return _not_empty(file, len(rows), split)
    table = _table(rows, split)
    file = folder / f"{split}.parquet"
    _write_parquet(table, file)
    return _not_empty(file, len(table), split)


def _not_empty(file: Path, rows: int, split: str) -> Path:
    if not rows:
        raise InputError(f"data: the {split} split has no rows: give at least one, or leave the split out.")
    return file


def _write_parquet(table: Dataset, file: Path) -> None:
    """Write a table with its features. Its chunks do not count: they would give the same rows another digest."""
    from pyarrow.parquet import ParquetWriter

    schema = table.features.arrow_schema
    with ParquetWriter(file, schema) as writer:
        for batch in table.with_format("arrow").iter(_BATCH):
            writer.write_table(batch.combine_chunks().replace_schema_metadata(schema.metadata))


def _json_lines(rows: Sequence[Mapping[str, Any]]) -> bytes | None:
    """Return rows as JSON lines in UTF-8, or None where a value is not JSON's."""
    try:
        lines = "".join(json.dumps(dict(row), ensure_ascii=False, allow_nan=False) + "\n" for row in rows)
        return lines.encode()  # A ValueError for half a surrogate pair.
    except (TypeError, ValueError):
        return None


def _table(rows: Rows, split: str) -> Dataset:
    from datasets import Dataset
    from pyarrow import ArrowException

    try:
        if isinstance(rows, Dataset):
            return rows.with_format(None)
        if isinstance(rows, Sequence) and not isinstance(rows, str):
            names = dict.fromkeys(name for row in rows for name in row)
            return Dataset.from_dict({name: [_pictured(row.get(name)) for row in rows] for name in names})
        if hasattr(rows, "select_dtypes"):  # a DataFrame: pandas need not be installed
            frame: Any = rows
            categories = dict.fromkeys(frame.select_dtypes("category").columns, object)
            return Dataset.from_pandas(frame.astype(categories), preserve_index=False)
    except (ArrowException, TypeError, ValueError, OverflowError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"data: the rows of {split} are no table ({reason}). Give each column one type.") from None
    raise InputError(
        f"data: {split} is {type(rows).__name__}. Give a list of dicts, a datasets.Dataset or a pandas DataFrame."
    )


def _pictured(value: Any) -> Any:
    """Return an image as an upright image of Pillow without a file behind it, and any other value as it is.

    Of one that was opened from a file, `datasets` stores the path or encodes it again in the file's format: changes
    since would be lost, or the detail that JPEG drops.
    """
    if not is_image(value):
        return value
    dtype = getattr(value, "dtype", None)
    if dtype is not None and dtype != "uint8":
        return value
    from PIL import Image, ImageOps

    if dtype is not None:
        return Image.fromarray(value)
    try:
        upright = ImageOps.exif_transpose(value)
    except Exception as error:  # noqa: BLE001 - Pillow's format plugins raise whatever a broken file makes them raise
        if getattr(value, "filename", ""):
            return value  # The file is broken, not changed: whoever reads the rows names the row, or skips it.
        raise ValueError(f"an image cannot be decoded: {error}") from None
    if upright.mode == "P" and "transparency" in upright.info:
        return upright.convert("RGBA")
    return upright.convert(_WRITABLE[upright.mode]) if upright.mode in _WRITABLE else upright
