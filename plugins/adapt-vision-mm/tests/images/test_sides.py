"""Left and right in the names of keypoints and classes."""

from __future__ import annotations

import logging

import pytest

from adapt_vision_mm.images.sides import mirrored, mirrored_classes, one_sided, report_mirrored_classes


@pytest.mark.parametrize(
    ("names", "pairs"),
    [
        (["left", "right"], ["left / right"]),
        (["right_hand", "left_hand", "foot"], ["left_hand / right_hand"]),
        (["Turn Left", "Turn Right", "U-turn"], ["Turn Left / Turn Right"]),
        (["arrow-l", "arrow-r"], ["arrow-l / arrow-r"]),
        (["left_to_right", "right_to_left"], ["left_to_right / right_to_left"]),
        (["swipe left-right", "swipe right-left", "tap"], ["swipe left-right / swipe right-left"]),
        (["left hand", "right hand", "Right Hand"], ["left hand / right hand", "left hand / Right Hand"]),
        (["left", "LEFT", "right"], ["left / right", "LEFT / right"]),
        (["cat", "dog"], []),
        (["left shoe", "shirt"], []),
        (["bright", "dark"], []),
        (["lake", "rake"], []),
    ],
)
def test_pairs_of_classes_are_recognised_by_their_names(names: list[str], pairs: list[str]) -> None:
    assert mirrored_classes(names) == pairs


def test_classes_that_are_not_mirrored_are_named(caplog: pytest.LogCaptureFixture) -> None:
    report_mirrored_classes(["K", "L", "R"], "augment")
    assert caplog.record_tuples == [
        (
            "adapt_vision_mm.images.sides",
            logging.WARNING,
            "augment: training images are not mirrored, since the names of these classes say left and right: L / R",
        )
    ]


@pytest.mark.parametrize("names", [["lt", "rt", "rb", "lb"], ["tl", "tr", "br", "bl"], ["corner_lt", "corner_rt"]])
def test_corners_by_two_letters_have_no_sides(names: list[str]) -> None:
    """With lt and rt swapped, and lb and rb not, a mirrored image would be wrong."""
    assert [mirrored(name, names) for name in names] == [""] * len(names)
    assert one_sided(names) == []


def test_every_side_in_a_name_changes() -> None:
    names = ["left_eye_left", "left_eye_right", "right_eye_left", "right_eye_right"]
    assert [mirrored(name, names) for name in names] == names[::-1]
