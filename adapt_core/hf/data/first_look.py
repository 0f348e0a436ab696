"""Column names of local tables, read without a heavy library, so that a wrong name is told within seconds."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeAlias

import attrs

from adapt_core.config.data_places import DataPlace, data_places
from adapt_core.config.plan import Plan
from adapt_core.errors import DataError
from adapt_core.hf.data.formats import TableFormat, recognise_splits
from adapt_core.hf.data.places import naming
from adapt_core.hf.data.row_places import good_rows
from adapt_core.hf.data.source import locate_files
from adapt_core.hf.data.split_names import canonical_split
from adapt_core.hf.data.tables.column_names import Columns, columns_of_rows

Require: TypeAlias = "Callable[[Columns, str], None]"
"""(columns, split) -> raises DataError where the split has not what a task reads."""


def check_columns(plan: Plan, require: Require) -> None:
    """Check the columns of the splits that a run learns from and is validated on, where their files tell them at once.

    Args:
        plan: for the data, DO_TRAIN and DO_EVAL.
        require: the task's check. Files of JSON, and those of formats that give rows, tell their columns only with
            their last row, and are read until it passes.

    Raises:
        InputError: no format recognises a split, or two do.
        DataError: as `require`; or a file cannot be read.
    """
    for place in data_places(plan.data):
        with naming(place):
            check_columns(attrs.evolve(plan, data=place.of(plan.data)), partial(_require_renamed, require, place))
    local = None if data_places(plan.data) else locate_files(plan.data, plan.formats)
    if local is None:
        return
    wanted = {"train": plan.training.do_train, "validation": plan.training.do_eval}
    splits = [split for split, used in wanted.items() if used]
    columns = {split: _saved_columns(local.saved, split) for split in splits if local.saved is not None}
    files = {split: local.files[split] for split in splits if split in local.files}
    data = plan.data
    for split, found in recognise_splits(files, plan.formats, data.data_format, data.sheet).items():
        if isinstance(found.format, TableFormat):
            columns[split] = found.format.columns(found.place, partial(_passes, require, split))
        else:
            rows = (row.values for row in good_rows(found.format, found.place))
            columns[split] = columns_of_rows(rows, partial(_passes, require, split)) or None
    for split, names in columns.items():
        if names is not None:
            require(names, split)


def _require_renamed(require: Require, place: DataPlace, columns: Columns, split: str) -> None:
    require({place.columns.get(name, name): values for name, values in columns.items()}, split)


def _saved_columns(folder: Path, split: str) -> Columns | None:
    """Return the columns of a split of a `save_to_disk` folder; None where it does not tell them."""
    folders = [folder] if split == "train" else []
    if (folder / "dataset_dict.json").is_file():
        folders = [path for path in folder.iterdir() if path.is_dir() and canonical_split(path.name) == split]
    if len(folders) != 1:
        return None
    try:
        features = json.loads((folders[0] / "dataset_info.json").read_text(encoding="utf-8"))["features"]
        return dict.fromkeys(features, ())
    except (OSError, ValueError, KeyError, TypeError):
        return None  # Its reader says what is wrong with it.


def _passes(require: Require, split: str, columns: Columns) -> bool:
    try:
        require(columns, split)
    except DataError:
        return False
    return True
