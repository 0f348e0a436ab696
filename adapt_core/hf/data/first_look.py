"""Column names of local tables, read without a heavy library, so that a wrong name is told within seconds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from adapt_core.config.plan import Plan
from adapt_core.errors import DataError
from adapt_core.hf.data.columns import require_columns
from adapt_core.hf.data.source import locate_files
from adapt_core.hf.data.tables import columnar, delimited, json_rows
from adapt_core.hf.data.tables.dialect import recognise, sampled

_LARGEST_JSON = 4_000_000
"""Bytes of a split. JSON tells its columns only with its last row; a larger split is read when the rows are."""


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
        names = column_names(paths, [column for column, _ in columns]) if wanted.get(split) else None
        if names is not None:
            require_columns(names, columns, split)


def column_names(paths: Sequence[Path], wanted: Sequence[str]) -> list[str] | None:
    """Return the columns of a split: a header's, a schema's, or those of all rows of JSON up to 4 MB.

    Args:
        paths: the files of the split. Those of delimited files and parquet have the same columns.
        wanted: the columns that are looked for. The whole of a delimited file is read, for the way in which it is
            written, only where its first rows do not show them.

    Returns:
        the names; None where the files do not tell them at once.

    Raises:
        DataError: a file cannot be read.
    """
    first, suffix = paths[0], paths[0].suffix.casefold()
    sizes = [path.stat().st_size for path in paths]
    if suffix == ".txt" or 0 in sizes or len({path.suffix.casefold() for path in paths}) > 1:
        return None
    if suffix in (".csv", ".tsv"):
        names = _usual_header(first)
        return names if set(wanted) <= set(names) else delimited.header_of(first, recognise(first))
    if suffix == ".parquet":
        return columnar.names_of(first)
    if sum(sizes) > _LARGEST_JSON:
        return None
    return list(dict.fromkeys(name for path in paths for row in json_rows.json_rows(path) for name in row)) or None


def _usual_header(path: Path) -> list[str]:
    """Return the header of a file that is written as its first rows seem to be; nothing where it is not."""
    try:
        return delimited.header_of(path, sampled(path))
    except DataError:
        return []
