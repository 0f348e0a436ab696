"""How often an epoch shows each row: classes balanced, and rare ones repeated."""

from __future__ import annotations

from collections import Counter

import numpy
import pytest

from adapt_core.hf.data.resampling import class_balanced, repeat_factors, with_repeats

SKEWED = [["many"]] * 90 + [["few"]] * 9 + [["one"]]


@pytest.mark.parametrize(
    ("power", "expected"),
    [(0.0, {"many": 100 / 3, "few": 100 / 3, "one": 100 / 3}), (1.0, {"many": 90, "few": 9, "one": 1})],
    ids=["balanced", "as they are"],
)
def test_each_class_has_its_share_of_an_epoch_of_as_many_rows(power: float, expected: dict[str, float]) -> None:
    shares = class_balanced(SKEWED, power)
    for epoch in range(5):
        rows = shares.drawn(42, epoch)
        assert len(rows) == len(shares) == 100
        counts = Counter(SKEWED[row][0] for row in rows)
        assert all(abs(counts[name] - share) < 1 for name, share in expected.items())


def test_square_roots_lie_between() -> None:
    shares = class_balanced(SKEWED, 0.5)
    counts = Counter(SKEWED[row][0] for row in shares.drawn(1, 0))
    roots = {"many": 90**0.5, "few": 3.0, "one": 1.0}
    assert all(abs(counts[name] - 100 * root / sum(roots.values())) < 1 for name, root in roots.items())


def test_rows_of_a_class_come_equally_often_to_within_one_and_all_come_in_time() -> None:
    shares = class_balanced(SKEWED, 0.0)
    seen: Counter[int] = Counter()
    for epoch in range(20):
        counts = Counter(shares.drawn(7, epoch).tolist())
        assert all(3 <= counts[row] <= 4 for row in range(90, 99))
        assert max(counts[row] for row in range(90)) == 1
        seen.update(counts)
    assert set(seen) == set(range(100))


def test_a_draw_depends_on_seed_and_epoch_alone() -> None:
    shares = class_balanced(SKEWED, 0.0)
    numpy.random.seed(1)
    first = shares.drawn(42, 3)
    numpy.random.seed(2)
    assert first.tolist() == shares.drawn(42, 3).tolist()
    assert first.tolist() != shares.drawn(42, 4).tolist()
    assert first.tolist() != shares.drawn(43, 3).tolist()


def test_a_row_of_several_classes_comes_as_its_rarest_and_rows_without_one_are_a_class() -> None:
    rows = [["a"]] * 6 + [["a", "b"]] * 2 + [[]] * 4
    shares = class_balanced(rows, 0.0)
    assert shares.expected[6] / shares.expected[0] == pytest.approx(4)
    assert shares.expected[8] / shares.expected[0] == pytest.approx(2)
    assert shares.expected.sum() == pytest.approx(12)


def test_no_image_comes_less_than_once() -> None:
    rows = [[0]] * 60 + [[1]] * 4
    shares = repeat_factors(rows, 0.5)
    assert shares.expected[0] == 1
    assert shares.expected[-1] == pytest.approx((0.5 / (4 / 64)) ** 0.5)
    drawn = Counter(shares.drawn(0, 0).tolist())
    assert len(drawn) == 64
    assert sum(drawn.values()) == len(shares) == 60 + 11


def test_repeats_are_counted_in_the_order_of_the_list() -> None:
    assert with_repeats(numpy.array([3, 1, 3, 3, 1, 0])).tolist() == [0, 0, 1, 2, 1, 0]
    assert with_repeats(numpy.array([], dtype=numpy.int64)).tolist() == []
