"""Where images and their targets come from: class folders, or a table with a column of images."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapt_core.config.core_params.data import DataParams
from adapt_core.config.data_places import one_path
from adapt_core.config.plan import FormatChoice, Plan
from adapt_core.errors import DataError
from adapt_core.hf.data.source import locate_files
from adapt_core.hf.problems.choice import required_targets

from adapt_vision_mm.image_classification.params import ImageClassificationParams
from adapt_vision_mm.images.folders import iterate_images

if TYPE_CHECKING:
    from datasets import Dataset

TEXT = ("string", "large_string")
"""Types of a column of paths."""

ImageValue = str | bytes | Mapping[str, Any]
"""A value of an image column: a path, an encoded image, or both as datasets has them (`path`, `bytes`)."""


def required_columns(plan: Plan[ImageClassificationParams]) -> list[tuple[str, str]]:
    """Return the columns of image and target in rows of a table, each with the key that names it."""
    image = str(plan.data.input_column or plan.task.params.dataset_text_field)
    return [(image, "input_column"), *required_targets(plan)]


def rows_of_folder(folder: Path, names: Sequence[str], *, skip_empty: bool) -> Dataset:
    """Return the images of one split, by their paths, with their classes.

    Args:
        folder: the split's.
        names: of the columns of images and classes.
        skip_empty: see `iterate_images`.
    """
    from datasets import Dataset

    found = list(iterate_images(folder, skip_empty=skip_empty))
    image, label = names
    return Dataset.from_dict({image: [str(path) for path, _ in found], label: [name for _, name in found]})


def undecoded(dataset: Dataset, image: str) -> Dataset:
    """Return rows whose images are paths or encoded bytes.

    Args:
        dataset: of a table.
        image: the name of the image column.

    Raises:
        DataError: the column has something else.
    """
    from datasets import Image, Value

    feature = dataset.features[image]
    if isinstance(feature, Image):
        return dataset.cast_column(image, Image(decode=False))
    encoded = isinstance(feature, dict) and "bytes" in feature
    if encoded or (
        isinstance(feature, Value) and feature.dtype in ("string", "large_string", "binary", "large_binary")
    ):
        return dataset
    raise DataError(
        f"column {image!r} contains {feature}, which is neither images nor image paths. Name another input_column."
    )


def base_folders(data: DataParams, formats: Sequence[FormatChoice]) -> tuple[Path, ...]:
    """Return the folders that the relative paths of a table are searched in; see `locate_files` for the arguments."""
    local = locate_files(data, formats)
    root = one_path(data)
    folders = [Path(root).expanduser()] if root and Path(root).expanduser().is_dir() else []
    if local is not None:
        folders += [path.parent for paths in local.files.values() for path in paths]
    return tuple(dict.fromkeys(path.absolute() for path in folders))


def image_source(value: ImageValue, base: Sequence[Path]) -> Path | bytes:
    """Return the file or bytes of an image column's value; relative paths are searched in `base`."""
    if isinstance(value, Mapping):
        if value.get("bytes") is not None:
            return bytes(value["bytes"])
        value = value.get("path") or ""
    if isinstance(value, bytes):
        return value
    path = Path(str(value)).expanduser()
    if not path.is_absolute():
        path = next((folder / path for folder in base if os.path.exists(folder / path)), path)
    return path


def name_of(value: ImageValue | None, row: int) -> str:
    """Return the name of an image in messages: its path, or its row (from 1)."""
    path = value.get("path") if isinstance(value, Mapping) else value if isinstance(value, str) else None
    return path or f"the image of row {row + 1}"
