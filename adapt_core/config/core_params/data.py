"""Keys of the data: its source, its columns, and the part of it that is used."""

from __future__ import annotations

from typing import Any

import attrs

from adapt_core.plugin.params import param

PACKAGED_BUILDERS = ("csv", "json", "parquet", "text", "arrow", "imagefolder", "webdataset", "xml", "sql", "pandas")
"""Values of DATASET that name a builder of the library datasets, not a data set on the hub."""


@attrs.frozen
class DataParams:
    """The source of the data, and the part of it that is used."""

    dataset: str | None = param(
        None, "Hub id of a data set, or a packaged builder's name (csv, json, ...).", key="DATASET"
    )
    dataset_subname: str | None = param(
        None, "Configuration of the hub data set (its 'subset').", key="DATASET_SUBNAME"
    )
    dataset_config: dict[str, object] | str | None = param(
        None, "Further arguments for loading the data set, or its configuration's name.", key="DATASET_CONFIG"
    )
    custom_dataset_path: str | tuple[str | dict[str, Any], ...] | None = param(
        None,
        "Your data: a file or folder of csv, tsv, xlsx, ods, jsonl, json or parquet, a save_to_disk folder, or images "
        "in folders. Or a list of such places: paths, or mappings of path, name, weight, format and columns.",
        key="CUSTOM_DATASET_PATH",
    )
    also_evaluate: tuple[str | dict[str, Any], ...] | None = param(
        None,
        "Further data sets that are scored before and after training, to see what else changes: paths, or mappings of "
        "path, name, format and columns. Of each its validation split, else test, else train.",
        key="ALSO_EVALUATE",
    )
    train_dir: str | None = param(
        None, "File or folder of the training split, inside CUSTOM_DATASET_PATH or absolute.", key="TRAIN_DIR"
    )
    val_dir: str | None = param(
        None, "File or folder of the validation split, inside CUSTOM_DATASET_PATH or absolute.", key="VAL_DIR"
    )
    test_dir: str | None = param(None, "File or folder of the test split (scored once, at the end).", key="TEST_DIR")
    data_format: str | None = param(
        None,
        "Format of your data, by its name in adapt plugins; without it, all that serve the task are asked.",
        key="DATA_FORMAT",
    )
    sheet: str | None = param(
        None, "Sheet of an .xlsx or .ods file (default: the only one that has cells).", key="SHEET"
    )
    data_split: float | None = param(
        None,
        "Share of the training rows to hold out where the data has no validation split (0.1 when needed).",
        key="DATA_SPLIT",
        gt=0,
        lt=1,
    )
    folds: int | None = param(
        None,
        "Run this many times, each with another fold of the training rows held out for validation (FOLDS: 5).",
        key="FOLDS",
        ge=2,
    )
    fold: int | None = param(None, "Of FOLDS, run only this one (from 1).", key="FOLD", ge=1)
    group_column: str | None = param(
        None,
        "Column of what rows share (patient, author, document): a held-out validation split shares none with training.",
        key="GROUP_COLUMN",
    )
    input_column: str | None = param(None, "Column of the input (each task documents its default).")
    target_column: str | None = param(None, "Column of the target (each task documents its default).")
    format_names: tuple[str, ...] | None = param(
        None, "Columns that FORMAT_STRING uses, in the order of its bare {} fields.", key="FORMAT_NAMES"
    )
    format_string: str | None = param(
        None, "Builds the input from several columns: 'Title: {title} Body: {body}'.", key="FORMAT_STRING"
    )
    max_train_samples: int | None = param(None, "At most this many training rows.", key="MAX_TRAIN_SAMPLES", ge=1)
    max_eval_samples: int | None = param(None, "At most this many validation rows.", key="MAX_EVAL_SAMPLES", ge=1)
    skip_bad_rows: bool = param(
        False, "Drop and count rows that cannot be used, instead of stopping at the first.", key="SKIP_BAD_ROWS"
    )
    remove_unused_columns: bool = param(
        True, "Drop the columns that the model does not take before batches are built.", key="REMOVE_UNUSED_COLUMNS"
    )
