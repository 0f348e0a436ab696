"""GROUP_COLUMN: a held-out validation split shares no group with training."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from adapt_core.hf.data.selection import held_out_groups


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_whole_groups_are_held_out_about_the_share_of_each_class(seed: int) -> None:
    chance = random.Random(seed)
    groups = [chance.randrange(60) for _ in range(600)]
    strata = [("spam" if chance.random() < 0.2 else "ham") for _ in groups]
    held = held_out_groups(strata, groups, 0.1, seed)
    kept = set(range(600)) - set(held)
    assert not {groups[row] for row in held} & {groups[row] for row in kept}
    parts, whole = Counter(strata[row] for row in held), Counter(strata)
    assert all(abs(parts[name] / whole[name] - 0.1) < 0.05 for name in whole)
    assert held == held_out_groups(strata, groups, 0.1, seed)


def test_rows_without_a_group_are_each_their_own() -> None:
    held = held_out_groups([0] * 10, [None] * 10, 0.3, 0)
    assert len(held) == 3


def test_groups_larger_than_the_share_leave_one_on_each_side() -> None:
    assert held_out_groups([0] * 6, ["a", "a", "a", "b", "b", "b"], 0.1, 0) in ([0, 1, 2], [3, 4, 5])
    assert held_out_groups([0] * 6, ["a", "a", "b", "b", "b", "b"], 0.1, 0) == [0, 1]


def test_one_group_cannot_be_split() -> None:
    assert held_out_groups([0] * 3, ["a"] * 3, 0.5, 0) == []


def test_a_validation_split_is_held_out_by_groups() -> None:
    datasets = pytest.importorskip("datasets")
    from adapt_core.config.core_params.data import DataParams
    from adapt_core.config.core_params.training import TrainingParams
    from adapt_core.errors import DataError
    from adapt_core.hf.data.splits import hold_out

    rows = datasets.Dataset.from_dict({"text": list("abcdefgh"), "patient": [1, 1, 2, 2, 3, 3, 4, 4]})
    held = hold_out({"train": rows}, DataParams(data_split=0.25, group_column="patient"), TrainingParams())
    assert len(held["validation"]) == 2
    assert not set(held["validation"]["patient"]) & set(held["train"]["patient"])
    one = datasets.Dataset.from_dict({"text": list("ab"), "patient": [1, 1]})
    with pytest.raises(DataError, match="GROUP_COLUMN: all 2 training rows are of one patient"):
        hold_out({"train": one}, DataParams(group_column="patient"), TrainingParams())


def test_rows_keep_the_numbers_of_the_split_they_were_read_from() -> None:
    datasets = pytest.importorskip("datasets")
    from adapt_core.hf.data.examples import numbers_of

    raw = datasets.Dataset.from_dict({"text": list("abcdefgh")})
    chosen = raw.select([1, 3, 4, 7]).select([0, 2, 3])
    assert numbers_of(chosen, {"train": raw}, "validation") == ("train", [2, 5, 8])
    assert numbers_of(raw, {"train": raw}, "train") == ("train", range(1, 9))
    assert numbers_of(raw.select(range(2, 5)), {"train": raw}, "train") == (None, [])
