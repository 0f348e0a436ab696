"""What can be said of images before they are read: their folders, the columns of their tables, and the formats."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import attrs

from adapt_core.config.data_places import DataPlace, data_places, further_places
from adapt_core.config.plan import Plan
from adapt_core.contracts.recognition import Recognised
from adapt_core.errors import DataError, InputError
from adapt_core.hf.data.columns import require_columns
from adapt_core.hf.data.first_look import check_columns
from adapt_core.hf.data.further import check_tables, plan_of
from adapt_core.hf.data.places import naming
from adapt_core.hf.data.source import check_data_source, data_formats
from adapt_core.hf.data.tables.column_names import Columns
from adapt_core.hf.problems.kinds import AUTO, SINGLE_LABEL
from adapt_core.hf.problems.params import wanted_kind

from adapt_vision_mm.image_classification.params import ImageClassificationParams
from adapt_vision_mm.image_classification.sources import required_columns
from adapt_vision_mm.images.folders import find_split_folders, list_class_folders

Folders = Mapping[str, Path]
"""What `find_split_folders` returns: split -> its folder."""

_Plan = Plan[ImageClassificationParams]


def check_images(plan: _Plan) -> None:
    """Check that the data exists, that its format is known and that it has what is learned.

    Raises:
        InputError: it does not, or nobody can tell its format.
        DataError: a column or a second class is missing.
    """
    if data_places(plan.data):
        _check_places(plan)
        return
    folders = find_split_folders(plan.data)
    if folders is None:
        _check_tables(plan)
    else:
        _check_folders(plan, folders, "DATA_FORMAT", plan.data.data_format)
        _require_two_classes(folders)


def check_further_images(plan: _Plan) -> None:
    """Check that the data sets of ALSO_EVALUATE exist and have what is learned.

    Raises:
        InputError: one does not, or nobody can tell its format; the message names it.
        DataError: a column is missing.
    """
    for place in further_places(plan.data):
        with naming(place):
            own = plan_of(plan, place)
            folders = find_split_folders(own.data)
            if folders is None:
                check_tables(own, place, partial(_check_split, own))
            else:
                _check_folders(plan, folders, "format", place.format)


def formats_of_tables(plan: _Plan) -> dict[str, Recognised]:
    """Return the format of each split of a table, as `data_formats` does; none where the classes are folders."""
    if data_places(plan.data):
        tables = _tables_alone(plan, _folders_of_places(plan))
        return {} if tables is None else data_formats(tables)
    return data_formats(plan) if find_split_folders(plan.data) is None else {}


def _check_places(plan: _Plan) -> None:
    folders = _folders_of_places(plan)
    for place, splits in folders.items():
        with naming(place):
            _check_folders(plan, splits, "format", place.format)
    tables = _tables_alone(plan, folders)
    if tables is not None:
        _check_tables(tables)
        return
    training = [splits["train"] for splits in folders.values() if "train" in splits]
    names = {name for folder in training for name in list_class_folders(folder)}
    if len(names) == 1:
        raise DataError(
            f"CUSTOM_DATASET_PATH: the training folders of all places have only one class, {names.pop()}; "
            "classification needs two or more. Add the folders of the others."
        )


def _folders_of_places(plan: _Plan) -> dict[DataPlace, Folders]:
    found = {}
    for place in data_places(plan.data):
        with naming(place):
            folders = find_split_folders(place.of(plan.data))
        if folders is not None:
            found[place] = folders
    return found


def _tables_alone(plan: _Plan, folders: Mapping[DataPlace, Folders]) -> _Plan | None:
    """Return the plan with those places alone that hold tables; None where none does."""
    listed = plan.data.custom_dataset_path
    assert isinstance(listed, tuple)
    places = data_places(plan.data)
    kept = tuple(item for item, place in zip(listed, places, strict=True) if place not in folders)
    return attrs.evolve(plan, data=attrs.evolve(plan.data, custom_dataset_path=kept)) if kept else None


def _check_tables(plan: _Plan) -> None:
    check_data_source(plan.data, plan.formats)
    check_columns(plan, partial(_check_split, plan))


def _check_split(plan: _Plan, columns: Columns, split: str) -> None:
    require_columns(list(columns), required_columns(plan), split)


def _check_folders(plan: _Plan, folders: Folders, key: str, named: str | None) -> None:
    """Check that nothing but one label is asked of class folders, and no format of them.

    Args:
        plan: for problem_type and target_columns.
        folders: of the splits.
        key: that names a format.
        named: its value.

    Raises:
        InputError: several labels, numbers or a format are asked for.
    """
    first = next(iter(folders.values()))
    if named is not None:
        raise InputError(f"{key}: {named} is a format of files, and {first} holds class folders. Leave {key} out.")
    kind = wanted_kind(plan.task.params)
    several = plan.task.params.target_columns
    if kind in (AUTO, SINGLE_LABEL) and not several:
        return
    asked = "target_columns" if several else f"problem_type: {kind}"
    raise InputError(
        f"{asked}: {first} holds class folders, which give each image one label. Give a table with a column of images "
        "and a column of labels in lists, or one for each label or number."
    )


def _require_two_classes(folders: Folders) -> None:
    """Check that the training split has two classes or more.

    Args:
        folders: what `find_split_folders` returned.

    Raises:
        DataError: it has one.
    """
    names = list(list_class_folders(folders["train"])) if "train" in folders else []
    if len(names) == 1:
        raise DataError(
            f"{folders['train']} (train) has only one class, the folder {names[0]}; classification needs two or more."
            " Add the folders of the others."
        )
