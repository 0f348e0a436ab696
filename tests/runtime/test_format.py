"""Values as people read them."""

from __future__ import annotations

from adapt_core.runtime.format import in_rows, setting


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
