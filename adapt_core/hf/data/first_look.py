"""Column names of local tables, read without a heavy library, so that a wrong name is told within seconds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from adapt_core.config.plan import Plan
from adapt_core.hf.data.columns import require_columns
from adapt_core.hf.data.source import locate_files
from adapt_core.hf.data.tables import columnar, delimited, json_rows
from adapt_core.hf.data.tables.dialect import recognise

_LARGEST_JSON = 4_000_000
"""Bytes. A JSON file tells its columns only with its last row; a larger one is read when the rows are."""


def check_columns(plan: Plan, columns: Sequence[tuple[str, str]]) -> None:
    """Check the columns of the splits that a run learns from and is validated on, where their files tell them at once.

    Args:
        plan: for the data, DO_TRAIN and DO_EVAL.
        columns: (required column, the key that names it) pairs.

    Raises:
        DataError: a column is not there, as `require_columns`; or a file cannot be read.
    """
    local = locate_files(plan.data) if columns else None
    wanted = {"train": plan.training.do_train, "validation": plan.training.do_eval}
    for split, paths in local.files.items() if local is not None else ():
        names = column_names(paths[0]) if wanted.get(split) else None
        if names is not None:
            require_columns(names, columns, split)


def column_names(path: Path) -> list[str] | None:
    """Return the columns of a table: a header's, a schema's, or those of all rows of a JSON file up to 4 MB.

    Returns:
        the names; None where the file does not tell them at once.

    Raises:
        DataError: the file cannot be read.
    """
    suffix = path.suffix.casefold()
    if path.stat().st_size == 0 or suffix == ".txt":
        return None
    if suffix in (".csv", ".tsv"):
        return delimited.header_of(path, recognise(path))
    if suffix == ".parquet":
        return columnar.names_of(path)
    if path.stat().st_size > _LARGEST_JSON:
        return None
    return list(dict.fromkeys(name for row in json_rows.json_rows(path) for name in row))
