"""From raw data to the good rows of each split: the way that the tasks on Hugging Face data share."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from adapt_core.hf_data.columns import require_columns, without_bad_rows
from adapt_core.hf_data.source import load_raw
from adapt_core.hf_data.splits import at_most, hold_out, needed_splits
from adapt_core.plan import Plan

if TYPE_CHECKING:
    from datasets import Dataset

log = logging.getLogger(__name__)

Faults = Callable[["Dataset", str], Iterable[str | None]]


def raw_splits(plan: Plan, columns: Sequence[tuple[str, str]] = ()) -> dict[str, Dataset]:
    """The splits that a run needs, as they lie.

    Args:
        plan: the plan.
        columns: pairs of a column that must be there and the key that named it.

    Raises:
        DataError: see `needed_splits` and `require_columns`.
    """
    splits = needed_splits(load_raw(plan.data, plan.model.trust_remote_code), plan.data, plan.training)
    for split, dataset in splits.items():
        require_columns(dataset, columns, split)
    return splits


def good_splits(
    plan: Plan, splits: dict[str, Dataset], faults: Faults, strata: Callable[[Dataset], Sequence[Any]] | None = None
) -> tuple[dict[str, Dataset], dict[str, Any]]:
    """The good rows, with a validation split held out where one is needed, and at most MAX_*_SAMPLES of them.

    Args:
        plan: the plan.
        splits: what `raw_splits` returned.
        faults: (rows, split) -> for each row what is wrong with it, or None.
        strata: training rows -> the class of each, for a held-out part of like classes.

    Returns:
        the splits, and facts for `result.json` (rows and dropped rows).

    Raises:
        DataError: naming the first bad row, unless SKIP_BAD_ROWS.
    """
    facts: dict[str, Any] = {}
    good = {}
    for split, dataset in splits.items():
        good[split], facts[f"{split}_dropped"] = without_bad_rows(
            dataset, list(faults(dataset, split)), split, plan.data.skip_bad_rows
        )
    good = hold_out(good, plan.data, plan.training, strata(good["train"]) if strata and "train" in good else None)
    for split, rows in (("train", plan.data.max_train_samples), ("validation", plan.data.max_eval_samples)):
        if split in good:
            good[split] = at_most(good[split], rows, plan.training.seed)
    if not plan.training.do_train:
        good.pop("train", None)
    facts.update({f"{split}_rows": len(dataset) for split, dataset in good.items()})
    return good, facts


def count_full(dataset: Dataset, column: str, limit: int, what: str) -> int:
    """How many rows reach the limit of tokens and so may be cut; said in the log where any do.

    Args:
        dataset: tokenized rows.
        column: a column of token ids.
        limit: in tokens.
        what: for the log ("train split: texts").
    """
    import pyarrow.compute

    lengths = pyarrow.compute.list_value_length(dataset.data.column(column))
    full = int(pyarrow.compute.sum(pyarrow.compute.greater_equal(lengths, limit)).as_py() or 0)
    if full:
        log.info("%s: %d of %d reach the limit of %d tokens and may be cut", what, full, len(dataset), limit)
    return full
