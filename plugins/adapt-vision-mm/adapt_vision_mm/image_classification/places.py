"""Images of several data sets as one table: class folders and tables, their paths beside one another's bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from adapt_core.config.data_places import DataPlace
from adapt_core.config.plan import Plan
from adapt_core.hf.data.columns import column_values
from adapt_core.hf.data.place_reader import joined_places, read_places
from adapt_core.hf.data.places import with_column, without_place
from adapt_core.hf.data.row_places import remember_renamed
from adapt_core.hf.data.source import load_place
from adapt_core.hf.data.splits import say_test_left_out

from adapt_vision_mm.image_classification.params import ImageClassificationParams
from adapt_vision_mm.image_classification.sources import (
    TEXT,
    base_folders,
    image_source,
    required_columns,
    rows_of_folder,
    undecoded,
)
from adapt_vision_mm.images.folders import find_split_folders, find_unlabelled_test, warn_of_unlabelled
from adapt_vision_mm.images.inputs import list_images

if TYPE_CHECKING:
    import pyarrow
    from datasets import Dataset

_Plan = Plan[ImageClassificationParams]
_Splits = Mapping[str, "Dataset"]


def splits_of_places(plan: _Plan) -> dict[str, Dataset]:
    """Return the splits of several data sets as one, see `adapt_core.hf.data.places.joined`.

    Relative paths are resolved in the data set that has them. Encoded images stay memory-mapped.

    Raises:
        InputError, DataError: a data set cannot be read, or does not fit the others; the message names it.
    """
    return _joined(plan, labelled_splits)


def test_of_places(plan: _Plan) -> Dataset | None:
    """Return the images of the test split of several data sets, with or without labels; None where none has one."""
    rows = _joined(plan, _tests).get("test")
    return None if rows is None else without_place(rows)


def _joined(plan: _Plan, read: Callable[[_Plan, DataPlace], _Splits]) -> dict[str, Dataset]:
    found = read_places(plan.data, partial(read, plan))
    images = {place: _image_column(plan, place) for place in found}
    columns = [
        rows.features[images[place]]
        for place, splits in found.items()
        for rows in splits.values()
        if images[place] in rows.column_names
    ]
    if any(feature != columns[0] for feature in columns):
        found = {place: _as_images(splits, images[place]) for place, splits in found.items()}
    return joined_places(plan.data, found)


def _image_column(plan: _Plan, place: DataPlace) -> str:
    """Return what a place calls the column that the run calls the images'."""
    (image, _), *_ = required_columns(plan)
    return next((own for own, name in place.columns.items() if name == image), image)


def labelled_splits(plan: _Plan, place: DataPlace) -> _Splits:
    """Return the splits of one data set, whose paths need no folder to search in."""
    data = place.of(plan.data)
    folders = find_split_folders(data)
    if folders is None:
        return _tables(plan, place)
    warn_of_unlabelled(data, folders)
    if find_unlabelled_test(data) is not None:
        say_test_left_out(plan, f"no class folders in {place}")
    names, skip = [column for column, _ in required_columns(plan)], plan.data.skip_bad_rows
    return {split: rows_of_folder(folder, names, skip_empty=skip) for split, folder in folders.items()}


def _tests(plan: _Plan, place: DataPlace) -> _Splits:
    from datasets import Dataset

    data = place.of(plan.data)
    folders = find_split_folders(data)
    if folders is None:
        return {split: rows for split, rows in _tables(plan, place).items() if split == "test"}
    names = [column for column, _ in required_columns(plan)]
    if "test" in folders:
        return {"test": rows_of_folder(folders["test"], names, skip_empty=True)}
    unlabelled = find_unlabelled_test(data)
    if unlabelled is None:
        return {}
    return {"test": Dataset.from_dict({names[0]: [str(path) for path in list_images([str(unlabelled)])]})}


def _tables(plan: _Plan, place: DataPlace) -> _Splits:
    data, image = place.of(plan.data), _image_column(plan, place)
    found = dict(load_place(data, plan.formats))
    base = base_folders(data, plan.formats)
    for split, rows in found.items():
        if image in rows.column_names:  # the others are told of once all are read
            found[split] = _resolved(undecoded(rows, image), image, base)
            remember_renamed(rows, found[split], split)
    return found


def _resolved(rows: Dataset, image: str, base: Sequence[Path]) -> Dataset:
    """Return rows whose paths need no folder to search in."""
    import pyarrow
    from datasets import Image, Value

    if getattr(rows.features[image], "dtype", None) in TEXT:
        paths = _resolved_paths(column_values(rows, image), base)
        return with_column(rows, image, paths, Value("string"))
    rows = rows.cast_column(image, Image(decode=False))
    if rows._indices is not None:
        rows = rows.flatten_indices()
    chunks = rows.data.column(image).chunks
    parts = [dict(zip([field.name for field in chunk.type], chunk.flatten(), strict=True)) for chunk in chunks]
    if all(part["path"].filter(part["bytes"].is_null()).null_count == part["bytes"].null_count for part in parts):
        return rows  # each image is encoded, or missing
    resolved = [
        pyarrow.StructArray.from_arrays(
            [part["bytes"], _resolved_paths(part["path"].to_pylist(), base)], ["bytes", "path"], mask=chunk.is_null()
        )
        for part, chunk in zip(parts, chunks, strict=True)
    ]
    return with_column(rows, image, pyarrow.chunked_array(resolved), Image(decode=False))


def _resolved_paths(paths: Iterable[str | None], base: Sequence[Path]) -> pyarrow.Array:
    import pyarrow

    return pyarrow.array([path and str(image_source(path, base)) for path in paths], pyarrow.string())


def _as_images(splits: _Splits, image: str) -> _Splits:
    """Return splits whose images are of the one type that holds paths and bytes."""
    from datasets import Image

    found = dict(splits)
    for split, rows in splits.items():
        if image in rows.column_names:
            found[split] = rows.cast_column(image, Image(decode=False))
            remember_renamed(rows, found[split], split)
    return found
