"""Values as people read them."""

from __future__ import annotations

import math

from adapt_core.runtime.format import in_rows, score, setting


def test_nested_values_are_rows() -> None:
    data = {"train_rows": 3, "validation": {"images": 2, "dropped": {"no box": 1}}, "names": ["a", "b"]}
    assert in_rows(data) == [
        ("train rows", 3),
        ("validation images", 2),
        ("validation dropped no box", 1),
        ("names", "a, b"),
    ]


def test_settings_read_as_a_config_spells_them() -> None:
    assert setting({"a": 1, "b": [True, None]}) == "{a: 1, b: [true, not given]}"


def test_scores_have_four_decimals_or_are_said_to_be_not_finite() -> None:
    assert [score(value) for value in (0.25, -1.0, math.nan, math.inf)] == ["0.2500", "-1.0000", *["not finite"] * 2]
    assert score(0.5, "+") == "+0.5000"
