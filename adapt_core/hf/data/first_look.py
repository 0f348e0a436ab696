"""Column names of local tables, read without a heavy library, so that a wrong name is told within seconds."""

from __future__ import annotations

from collections.abc import Sequence

from adapt_core.config.plan import Plan
from adapt_core.hf.data.columns import require_columns
from adapt_core.hf.data.formats import TableFormat, recognise_splits
from adapt_core.hf.data.source import locate_files


def check_columns(plan: Plan, columns: Sequence[tuple[str, str]]) -> None:
    """Check the columns of the splits that a run learns from and is validated on, where their files tell them at once.

    Args:
        plan: for the data, DO_TRAIN and DO_EVAL.
        columns: (required column, the key that names it) pairs.

    Raises:
        InputError: no format recognises a split, or two do.
        DataError: a column is not there, as `require_columns`; or a file cannot be read.
    """
    local = locate_files(plan.data, plan.formats) if columns else None
    wanted = {"train": plan.training.do_train, "validation": plan.training.do_eval}
    files = {split: paths for split, paths in local.files.items() if wanted.get(split)} if local is not None else {}
    for split, found in recognise_splits(files, plan.formats, plan.data.data_format).items():
        if isinstance(found.format, TableFormat):
            names = found.format.columns(found.place.files, [column for column, _ in columns])
            if names is not None:
                require_columns(names, columns, split)
