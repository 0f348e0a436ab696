"""Rows held out and sampled: random by a seed, with the shares of the classes."""

from __future__ import annotations

from collections import Counter

from adapt_core.hf.data.selection import held_out, sample

RARE = ["common"] * 97 + ["rare"] * 3


def test_a_rare_class_has_a_row_in_validation() -> None:
    assert Counter(RARE[row] for row in held_out(RARE, 0.1, seed=0)) == {"common": 10, "rare": 1}


def test_a_class_of_one_row_stays_in_training() -> None:
    assert Counter([*RARE, "single"][row] for row in held_out([*RARE, "single"], 0.1, seed=0))["single"] == 0


def test_many_small_classes_do_not_empty_training() -> None:
    classes = [str(row // 2) for row in range(100)]
    assert len(held_out(classes, 0.1, seed=0)) <= 20


def test_held_out_rows_depend_on_the_seed_and_not_on_the_order_alone() -> None:
    assert held_out(RARE, 0.1, seed=0) == held_out(RARE, 0.1, seed=0) != held_out(RARE, 0.1, seed=1)
    assert sorted(held_out(RARE, 0.1, seed=0))[:10] not in (list(range(10)), list(range(87, 97)))


def test_a_sample_of_sorted_rows_has_every_class() -> None:
    classes = sorted("abcdef" * 2)
    for seed in range(20):
        rows = sample(12, 6, seed, classes)
        assert rows == sorted(set(rows))
        assert len(rows) == 6
        assert {classes[row] for row in rows} == set("abcdef")


def test_a_stratified_sample_keeps_the_shares() -> None:
    rows = next(rows for seed in range(50) if (rows := sample(100, 10, seed, RARE)) != sample(100, 10, seed))
    assert Counter(RARE[row] for row in rows) == {"common": 9, "rare": 1}


def test_a_sample_without_classes_is_a_plain_choice() -> None:
    assert len(set(sample(100, 10, 0))) == 10
    assert sample(100, 10, 0) == sample(100, 10, 0, ["one"] * 100)


def test_many_classes_share_exactly_the_rows_that_are_wanted() -> None:
    sizes = {0: 900, **dict.fromkeys(range(1, 60), 2), **dict.fromkeys(range(60, 100), 11)}
    classes = [number for number, size in sizes.items() for _ in range(size)]
    for wanted in (100, 101, 150, 300):
        rows = sample(len(classes), wanted, 0, classes)
        taken = Counter(classes[row] for row in rows)
        assert len(set(rows)) == len(rows) == wanted
        assert len(taken) == 100
        assert all(count <= sizes[number] for number, count in taken.items())
        assert max(taken, key=taken.__getitem__) == 0 or wanted <= 101
