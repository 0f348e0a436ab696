"""The splits of a run: those of the data, a validation split held out where there is none, and samples of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from adapt_core.config.core_params.data import DataParams
from adapt_core.config.core_params.training import TrainingParams
from adapt_core.config.plan import Plan
from adapt_core.errors import DataError, first_of
from adapt_core.evaluation import Statistic
from adapt_core.hf.data.columns import column_values, drop_bad_rows, require_columns
from adapt_core.hf.data.examples import groups_in
from adapt_core.hf.data.folds import held_out_fold
from adapt_core.hf.data.places import PLACE, naming
from adapt_core.hf.data.row_places import dropped_of, parts_of
from adapt_core.hf.data.selection import held_out, held_out_groups, sample
from adapt_core.hf.data.source import load_raw

if TYPE_CHECKING:
    from datasets import Dataset

DEFAULT_SHARE = 0.1

Faults = Callable[["Dataset", str], Iterable[str | None]]
"""(rows, split) -> for each row what is wrong with it, or None."""

log = logging.getLogger(__name__)


def needed_splits(raw: Mapping[str, Dataset], training: TrainingParams) -> dict[str, Dataset]:
    """Return the splits that a run needs: the training split and, with DO_EVAL, validation and test.

    Raises:
        DataError: there is no training split to train on, or a split is empty.
    """
    if "train" not in raw and (training.do_train or "validation" not in raw):
        raise DataError(f"the data has no training split; it has {', '.join(raw) or 'none'}. Name it with TRAIN_DIR.")
    for split, dataset in raw.items():
        if len(dataset) == 0:
            raise DataError(f"the {split} split is empty. Add rows, or leave the split out.")
    wanted = ["train", *(("validation", "test") if training.do_eval else ())]
    return {split: raw[split] for split in wanted if split in raw}


def hold_out(
    splits: dict[str, Dataset], data: DataParams, training: TrainingParams, strata: Sequence[Hashable] | None = None
) -> dict[str, Dataset]:
    """Return the splits, with a validation split held out from training where DO_EVAL needs one that the data lacks.

    Args:
        splits: the return value of `needed_splits`.
        data: for DATA_SPLIT and GROUP_COLUMN: the rows of a group stay together.
        training: for DO_EVAL and SEED.
        strata: the class of each training row: the same share of each class, and of each data set, is held out, see
            `held_out`.

    Raises:
        DataError: there are too few rows, or groups.
    """
    if not training.do_eval or "validation" in splits:
        if data.data_split is not None and "validation" in splits:
            log.info("DATA_SPLIT is not used: the data has a validation split.")
        return splits
    train = splits["train"]
    share = data.data_split or DEFAULT_SHARE
    classes: Sequence[Hashable] = strata if strata is not None else [0] * len(train)
    if PLACE in train.column_names:
        classes = list(zip(column_values(train, PLACE), classes, strict=True))
    if data.group_column is not None:
        held = held_out_groups(classes, groups_in(train, data.group_column), share, training.seed)
    else:
        held = held_out(classes, share, training.seed)
    if not held and data.group_column is not None:
        raise DataError(
            f"GROUP_COLUMN: all {len(train)} training rows are of one {data.group_column}, so none can be held out for "
            "validation. Set DO_EVAL: false, or add rows of others."
        )
    if not held:
        raise DataError(
            f"{len(train)} rows are too few to hold out a share of {share:g} for validation. "
            "Set DO_EVAL: false, or add rows."
        )
    log.info(
        "the data has no validation split: %d of %d rows are held out (DATA_SPLIT %g)", len(held), len(train), share
    )
    absent = sorted(map(str, set(strata) - {strata[row] for row in held})) if strata is not None else []
    if absent:
        log.warning("too few rows to hold any out, so validation has none of: %s", first_of(absent))
    kept = sorted(set(range(len(train))) - set(held))
    return {**splits, "train": train.select(kept), "validation": train.select(sorted(held))}


def load_splits(plan: Plan, columns: Sequence[tuple[str, str]] = (), target: str | None = None) -> dict[str, Dataset]:
    """Load the splits that a run needs, unchanged; see `checked_splits`."""
    return checked_splits(plan, load_raw(plan.data, plan.formats), columns, target)


def checked_splits(
    plan: Plan, raw: Mapping[str, Dataset], columns: Sequence[tuple[str, str]], target: str | None = None
) -> dict[str, Dataset]:
    """Return the splits that a run needs, with the columns that its task reads.

    Args:
        plan: the plan.
        raw: all that the data has.
        columns: (required column, the key that names it) pairs.
        target: the column of what is learned: a test split without it, or with nothing in it, is left out.

    Raises:
        DataError: see `needed_splits` and `require_columns`.
    """
    splits = needed_splits(raw, plan.training)
    if target is not None:
        leave_out_unlabelled_test(splits, target, plan)
    for split, dataset in splits.items():
        for place, rows in parts_of(dataset, split):
            with naming(place):
                require_columns(rows.column_names, columns, split)
        require_columns(dataset.column_names, columns, split)
    return splits


_NO_LABEL = frozenset({None, "", "-1", "-100"})
"""Cells of unlabelled rows; -1 is GLUE's."""


def leave_out_unlabelled_test(splits: dict[str, Dataset], target: str, plan: Plan) -> None:
    """Remove a test split that has no labels, as competitions publish them, with a warning.

    Args:
        splits: changed in place.
        target: the column of labels.
        plan: for DO_PREDICT.
    """
    test, train = splits.get("test"), splits.get("train")
    if test is None or train is None or target not in train.column_names:
        return
    if target in test.column_names:
        values = {cell for value in column_values(test, target) for cell in _cells(value)}
        if values - _NO_LABEL:
            return
        known = {cell for value in column_values(train, target) for cell in _cells(value)}
        if values & known - {None, ""}:
            return
    say_test_left_out(plan, f"no labels in column {target!r}")
    del splits["test"]


def say_test_left_out(plan: Plan, lacks: str) -> None:
    """Warn that the test split is not evaluated, and say how it is predicted.

    Args:
        plan: for DO_PREDICT.
        lacks: what it has not ("no class folders").
    """
    log.warning(
        "the test split has %s, so it is left out of the evaluation. %s",
        lacks,
        "It is predicted when the run has finished."
        if plan.run.do_predict
        else "DO_PREDICT: true predicts it when the run has finished, and adapt predict its files at any time.",
    )


def _cells(value: object) -> list[str | None]:
    if isinstance(value, dict):
        return ["a mapping"]
    return [None if cell is None else str(cell).strip() for cell in (value if isinstance(value, list) else [value])]


def clean_splits(
    plan: Plan,
    splits: Mapping[str, Dataset],
    faults: Faults,
    strata: Callable[[Dataset], Sequence[Hashable]] | None = None,
) -> tuple[dict[str, Dataset], dict[str, Statistic]]:
    """Return what `numbered_splits` does, without the numbers of the rows."""
    good, stats, _ = numbered_splits(plan, splits, faults, strata)
    return good, stats


def numbered_splits(
    plan: Plan,
    splits: Mapping[str, Dataset],
    faults: Faults,
    strata: Callable[[Dataset], Sequence[Hashable]] | None = None,
) -> tuple[dict[str, Dataset], dict[str, Statistic], dict[str, Sequence[int]]]:
    """Return the rows without faults, a held-out validation split where one is needed, at most MAX_*_SAMPLES rows each.

    Args:
        plan: the plan.
        splits: the return value of `load_splits`.
        faults: (rows, split) -> for each row what is wrong with it, or None.
        strata: training rows -> the class of each, see `hold_out`.

    Returns:
        (splits, statistics for `result.json`: rows and dropped rows, numbers of the rows in the data, from 1: of
        validation, with FOLDS).

    Raises:
        DataError: see `drop_bad_rows`, `hold_out`.
    """
    stats: dict[str, Statistic] = {}
    good = {}
    if plan.data.group_column is not None and "train" in splits:
        require_columns(splits["train"].column_names, [(plan.data.group_column, "GROUP_COLUMN")], "train")
    numbers: dict[str, Sequence[int]] = {}
    for split, dataset in _without_validation(splits, plan.data).items():
        found = list(faults(dataset, split))
        good[split], dropped = drop_bad_rows(dataset, found, split, skip=plan.data.skip_bad_rows)
        if split == "train" and plan.data.folds is not None:
            numbers["train"] = [row for row, fault in enumerate(found, start=1) if not fault]
        stats[f"{split}_dropped"] = dropped + dropped_of(dataset, split)
    of_train = strata(good["train"]) if strata and "train" in good else None
    if plan.data.folds is None:
        good = hold_out(good, plan.data, plan.training, of_train)
    else:
        held = held_out_rows(good["train"], plan.data, of_train, plan.training.seed)
        good["validation"] = good["train"].select(held)
        good["train"] = good["train"].select(sorted(set(range(len(good["train"]))) - set(held)))
        numbers = {"validation": [numbers["train"][row] for row in held]}
    for split, rows, key in (
        ("train", plan.data.max_train_samples, "MAX_TRAIN_SAMPLES"),
        ("validation", plan.data.max_eval_samples, "MAX_EVAL_SAMPLES"),
    ):
        if split in good and rows is not None and rows < len(good[split]):
            of = strata(good[split]) if strata else None
            log.info("%s split: a sample of %d of %d rows is used (%s)", split, rows, len(good[split]), key)
            chosen = sample(len(good[split]), rows, plan.training.seed, of)
            good[split] = good[split].select(chosen)
            if split in numbers:
                numbers[split] = [numbers[split][row] for row in chosen]
    if not plan.training.do_train:
        good.pop("train", None)
    stats.update({f"{split}_rows": len(dataset) for split, dataset in good.items()})
    return good, stats, numbers


def _without_validation(splits: Mapping[str, Dataset], data: DataParams) -> dict[str, Dataset]:
    if data.folds is not None and "validation" in splits:
        log.warning("FOLDS holds out training rows: the data's own validation split is not used.")
        return {split: rows for split, rows in splits.items() if split != "validation"}
    return dict(splits)


def held_out_rows(train: Dataset, data: DataParams, strata: Sequence[Hashable] | None, seed: int) -> list[int]:
    """Return the training rows that FOLD of FOLDS holds out; the first fold's where FOLD is not given.

    Args:
        train: the training rows.
        data: for FOLDS, FOLD and GROUP_COLUMN.
        strata: the class of each row, or None.
        seed: of the random choice.

    Raises:
        DataError: see `held_out_fold`.
    """
    groups = None if data.group_column is None else groups_in(train, data.group_column)
    return held_out_fold(strata, groups, len(train), (data.fold or 1, data.folds or 1), seed)


def count_truncated(dataset: Dataset, column: str, limit: int, description: str) -> int:
    """Return how many rows reach the limit, and so may be truncated. Logged once where any do.

    Args:
        dataset: tokenized rows.
        column: a column of token ids.
        limit: in tokens.
        description: for the log ("texts").
    """
    import pyarrow.compute

    lengths = pyarrow.compute.list_value_length(dataset.data.column(column))
    full = int(pyarrow.compute.sum(pyarrow.compute.greater_equal(lengths, limit)).as_py() or 0)
    if full:
        log.info(
            "%s: %d of %d reach the limit of %d tokens and may be truncated", description, full, len(dataset), limit
        )
    return full
