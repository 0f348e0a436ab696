"""FOLDS: the rows that each fold holds out are those of scikit-learn with the same seed."""

from __future__ import annotations

from collections.abc import Hashable

import numpy
import pytest

pytest.importorskip("sklearn", reason="FOLDS needs scikit-learn")

from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

from adapt_core.errors import DataError
from adapt_core.hf.data.folds import held_out_fold

RANDOM = numpy.random.default_rng(7)
CLASSES: list[Hashable] = RANDOM.choice(["spam", "ham", "eggs"], size=90, p=[0.6, 0.3, 0.1]).tolist()
GROUPS: list[Hashable] = RANDOM.integers(0, 25, size=90).tolist()


@pytest.mark.parametrize("seed", [0, 3, 42])
@pytest.mark.parametrize(
    ("kind", "classes", "groups"),
    [
        (StratifiedKFold, CLASSES, None),
        (StratifiedGroupKFold, CLASSES, GROUPS),
        (KFold, None, None),
        (GroupKFold, None, GROUPS),
    ],
)
def test_folds_equal_those_of_scikit_learn(
    kind: type, classes: list[Hashable] | None, groups: list[Hashable] | None, seed: int
) -> None:
    splitter = kind(n_splits=5, shuffle=True, random_state=seed)
    expected = [sorted(held.tolist()) for _, held in splitter.split(numpy.zeros(90), classes, groups)]
    found = [held_out_fold(classes, groups, 90, (number, 5), seed) for number in range(1, 6)]
    assert found == expected
    assert sorted(row for held in found for row in held) == list(range(90))


def test_a_row_of_no_group_is_a_group_of_its_own() -> None:
    groups = [None if row % 2 else "a" for row in range(10)]
    held = [held_out_fold(None, groups, 10, (number, 3), 0) for number in (1, 2, 3)]
    (whole,) = [rows for rows in held if 0 in rows]
    assert {0, 2, 4, 6, 8} <= set(whole)
    assert sorted(row for rows in held for row in rows) == list(range(10))


def test_too_few_groups_are_told() -> None:
    with pytest.raises(DataError, match=r"FOLDS: 2 groups cannot be divided into 3 folds: .* Set fewer FOLDS"):
        held_out_fold(None, ["a", "b"] * 3, 6, (1, 3), 0)
