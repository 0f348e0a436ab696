"""A comma in a number: decimals where the column shows it, an error where it may be thousands."""

from __future__ import annotations

import pytest

from adapt_core.errors import DataError
from adapt_core.hf.problems.decimal_commas import decimal_of, has_decimal_commas
from adapt_core.hf.problems.targets import Numbers


@pytest.mark.parametrize(
    ("text", "number"),
    [("3,5", 3.5), ("-1.234,50", -1234.5), ("7", 7.0), ("0,125", 0.125), ("1.234", None), ("2.5", None), ("x", None)],
)
def test_texts_of_a_column_with_decimal_commas_are_numbers(text: str, number: float | None) -> None:
    assert decimal_of(text) == number


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1.234,50", "-7", "0,25"], True),
        (["0,125", "1,250"], True),
        (["3,5", "many", None], True),
        (["1,5", "2.5"], False),
        (["1", "2"], False),
        ([1.5, 2.5], False),
        (["a, b"], False),
    ],
)
def test_a_comma_stands_before_decimals_where_the_column_has_no_point(cells: list[object], expected: bool) -> None:
    assert has_decimal_commas("n", cells) is expected


@pytest.mark.parametrize("cells", [["1,234", "12,345", "7"], ["1,234,567", "1,234"]])
def test_three_digits_behind_each_comma_are_an_error(cells: list[str]) -> None:
    with pytest.raises(DataError, match=r"column 'n': the comma of '1,234.*may stand before decimals or thousands"):
        has_decimal_commas("n", cells)


def test_the_numbers_of_a_row_are_read_with_the_comma_of_their_column() -> None:
    numbers = Numbers(("a", "b"), commas=frozenset(["a"]))
    assert numbers.encode(("3,5", "2.5")) == [3.5, 2.5]
    assert numbers.fault(("2.5", "2.5")) == "column 'a' is '2.5', not a number with a decimal comma"
    assert numbers.fault(("3,5", "3,5")) == "column 'b' is '3,5', not a number"
