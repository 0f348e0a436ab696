"""Words on images are readable on any photo, and an image without objects says so."""

from __future__ import annotations

import itertools

import pytest

pytest.importorskip("torchvision")

import torch

from adapt_vision_mm.images.captions import BLACK, WHITE, Caption, contrast, draw_captions, draw_note, letter_colour
from adapt_vision_mm.images.overlays import COLOURS, draw_objects

SHADES = list(itertools.product((0, 60, 128, 190, 255), repeat=3))


def colours_of(image: torch.Tensor) -> set[tuple[int, ...]]:
    return set(map(tuple, image.flatten(1).T.tolist()))


def has_near(image: torch.Tensor, colour: tuple[int, ...], distance: int = 24) -> bool:
    """Whether an image has a colour, up to what the smooth edges of letters leave of it."""
    apart = (image.flatten(1).T.int() - torch.tensor(colour)).abs().max(dim=1).values
    return bool((apart <= distance).any())


def plain(colour: tuple[int, ...], width: int = 120, height: int = 80) -> torch.Tensor:
    return torch.tensor(colour, dtype=torch.uint8)[:, None, None].repeat(1, height, width)


def test_contrast_is_that_of_wcag() -> None:
    assert contrast(BLACK, WHITE) == pytest.approx(21)
    assert contrast((119, 119, 119), WHITE) == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("plate", [*COLOURS, *SHADES])
def test_letters_stand_out_from_their_plate(plate: tuple[int, int, int]) -> None:
    assert contrast(letter_colour(plate), plate) >= 4.5


@pytest.mark.parametrize("photo", [*COLOURS[:2], BLACK, WHITE, (128, 128, 128)])
def test_a_label_is_readable_on_a_photo_of_any_colour(photo: tuple[int, int, int]) -> None:
    box = {"label": 0, "bbox": [20, 30, 60, 40], "score": 0.91}
    found = draw_objects(plain(photo), [box], ["cup"])[:, :30]  # the label, above the box
    assert COLOURS[0] in colours_of(found)
    assert has_near(found, letter_colour(COLOURS[0]))


@pytest.mark.parametrize(("x", "y"), [(-5, -5), (115, 0), (0, 79), (118, 79)])
def test_a_label_at_the_border_lies_inside_the_image(x: float, y: float) -> None:
    inside, moved = (draw_captions(plain(WHITE), [Caption("cup", a, b, BLACK)]) for a, b in ((40, 40), (x, y)))
    assert int((moved == 0).sum()) == int((inside == 0).sum()) > 0


@pytest.mark.parametrize("photo", [BLACK, WHITE])
def test_a_note_is_readable_on_a_photo_of_any_colour(photo: tuple[int, int, int]) -> None:
    assert BLACK in colours_of(draw_note(plain(photo)))
    assert has_near(draw_note(plain(photo)), WHITE)
    assert torch.equal(draw_objects(plain(photo), [], ["cup"]), plain(photo))
