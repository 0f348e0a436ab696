"""Folds of the training rows (FOLDS), as scikit-learn makes them with the same seed."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Sequence
from typing import Any

from adapt_core.errors import DataError


def held_out_fold(
    strata: Sequence[Hashable] | None, groups: Sequence[Hashable] | None, count: int, fold: tuple[int, int], seed: int
) -> list[int]:
    """Return the rows that one fold holds out, in their order.

    They are those of scikit-learn's StratifiedKFold, StratifiedGroupKFold, KFold or GroupKFold, with classes or
    without, with groups or without, shuffled by the seed.

    Args:
        strata: the class of each row; None where rows have none.
        groups: the group of each row, None for a row of no group; None where rows have none.
        count: of rows.
        fold: (its number from 1, the number of folds).
        seed: of the random choice.

    Raises:
        DataError: there are fewer rows, groups or rows of every class than folds.
    """
    number, folds = fold
    members = None if groups is None else _numbers([(row,) if g is None else g for row, g in enumerate(groups)])
    classes = None if strata is None else _numbers(strata)
    splitter = _splitter(folds, seed, classes=classes is not None, groups=members is not None)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a class of fewer rows than folds is told by the metrics of its folds
            splits = list(splitter.split([[0]] * count, classes, members))
    except ValueError as error:
        what = f"{len(set(members))} groups" if members is not None else f"{count} rows"
        raise DataError(
            f"FOLDS: {what} cannot be divided into {folds} folds: {' '.join(str(error).split())} Set fewer FOLDS, or "
            "add rows."
        ) from None
    return [int(row) for row in splits[number - 1][1]]


def _splitter(folds: int, seed: int, *, classes: bool, groups: bool) -> Any:
    from sklearn import model_selection

    kinds = {
        (True, True): model_selection.StratifiedGroupKFold,
        (True, False): model_selection.StratifiedKFold,
        (False, True): model_selection.GroupKFold,
        (False, False): model_selection.KFold,
    }
    return kinds[classes, groups](n_splits=folds, shuffle=True, random_state=seed)


def _numbers(values: Sequence[Hashable]) -> list[int]:
    """Return values as numbers in their order: of texts or whole numbers as scikit-learn itself numbers them."""
    distinct: set[Any] = set(values)
    try:
        ordered = sorted(distinct)
    except TypeError:
        ordered = sorted(distinct, key=lambda value: (type(value).__name__, str(value)))
    numbers = {value: number for number, value in enumerate(ordered)}
    return [numbers[value] for value in values]
