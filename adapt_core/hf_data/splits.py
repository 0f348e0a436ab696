"""Which rows train, which validate: splits that are there, parts held out, and at most so many rows."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy

from adapt_core.config.core_params import DataParams, TrainingParams
from adapt_core.errors import DataError

if TYPE_CHECKING:
    from datasets import Dataset

DEFAULT_SHARE = 0.1

log = logging.getLogger(__name__)


def needed_splits(raw: dict[str, Dataset], data: DataParams, training: TrainingParams) -> dict[str, Dataset]:
    """The splits that a run needs, none of them empty; a test split is kept where evaluation is on.

    Raises:
        DataError: no training split where DO_TRAIN is on, or an empty one.
    """
    if "train" not in raw and (training.do_train or "validation" not in raw):
        raise DataError(f"the data has no training split; it has {', '.join(raw) or 'none'}. Name it with TRAIN_DIR.")
    for split, dataset in raw.items():
        if len(dataset) == 0:
            raise DataError(f"the {split} split is empty.")
    wanted = ["train", *(("validation", "test") if training.do_eval else ())]
    return {split: raw[split] for split in wanted if split in raw}


def hold_out(
    splits: dict[str, Dataset], data: DataParams, training: TrainingParams, strata: Sequence[Any] | None = None
) -> dict[str, Dataset]:
    """Adds a validation split taken from the training rows, where evaluation needs one and the data has none.

    Args:
        splits: what `needed_splits` returned.
        data: for DATA_SPLIT.
        training: for DO_EVAL and SEED.
        strata: the class of each training row; each class keeps at least one row in training.

    Raises:
        DataError: there are too few rows to hold any out.
    """
    if not training.do_eval or "validation" in splits:
        if data.data_split is not None and "validation" in splits:
            log.info("DATA_SPLIT is not used: the data has a validation split of its own.")
        return splits
    train = splits["train"]
    share = data.data_split or DEFAULT_SHARE
    held = _held_out(strata if strata is not None else [0] * len(train), share, training.seed)
    if not held:
        raise DataError(
            f"{len(train)} rows are too few to hold {share:g} of them out for validation. "
            "Set DO_EVAL: false, or give more."
        )
    log.info(
        "the data has no validation split: %d of %d rows are held out (DATA_SPLIT %g)", len(held), len(train), share
    )
    kept = sorted(set(range(len(train))) - set(held))
    return {**splits, "train": train.select(kept), "validation": train.select(sorted(held))}


def _held_out(strata: Sequence[Any], share: float, seed: int) -> list[int]:
    random = numpy.random.default_rng(seed)
    rows: dict[Any, list[int]] = defaultdict(list)
    for row, stratum in enumerate(strata):
        rows[stratum].append(row)
    held: list[int] = []
    for stratum in sorted(rows, key=str):
        members = rows[stratum]
        count = min(round(len(members) * share), len(members) - 1)
        held.extend(int(row) for row in random.permutation(members)[:count])
    if not held and len(strata) > 1:
        largest = max(rows.values(), key=len)
        held = [int(random.choice(largest))] if len(largest) > 1 else []
    return held


def at_most(dataset: Dataset, rows: int | None, seed: int) -> Dataset:
    """A seeded random sample of at most `rows` rows, in their order; the whole where there are no more."""
    if rows is None or len(dataset) <= rows:
        return dataset
    chosen = numpy.random.default_rng(seed).choice(len(dataset), size=rows, replace=False)
    return dataset.select(sorted(int(row) for row in chosen))
