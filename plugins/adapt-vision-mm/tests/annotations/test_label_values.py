"""Label maps as editors and other tools save them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
from PIL import Image, ImageDraw

from adapt_core.errors import DataError, InputError

pytest.importorskip("pycocotools")

from adapt_vision_mm.annotations.formats import label_maps
from adapt_vision_mm.annotations.formats.contract import ReadOptions

RED, BLUE = (200, 0, 0), (0, 0, 200)
Read = Callable[..., list[tuple[int, float]]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Reads label maps, and returns the class and area of every instance."""

    def read_maps(*maps: Image.Image, classes: list[str], palette: Any = ()) -> list[tuple[int, float]]:
        for name in ("images", "labels"):
            (tmp_path / name).mkdir(exist_ok=True)
        names = [f"m{number}" for number in range(len(maps))]
        for name, one in zip(names, maps, strict=True):
            Image.new("RGB", one.size).save(tmp_path / "images" / f"{name}.png")
            one.save(tmp_path / "labels" / f"{name}.png")
        files = label_maps.LabelMapFiles(images=tmp_path / "images", labels=tmp_path / "labels", source="train.txt")
        found = label_maps.read(names, files, ReadOptions(skip=False, class_list=classes, palette=palette))
        return [(a["category_id"], a["area"]) for image in found.images for a in image.annotations]

    return read_maps


def squares(*values: Any, mode: str = "L", background: Any = 0) -> Image.Image:
    """A map with a square of 10 x 10 pixels for each value, apart from one another."""
    image = Image.new(mode, (20 * len(values) + 10, 30), background)
    for number, value in enumerate(values):
        ImageDraw.Draw(image).rectangle((20 * number + 5, 5, 20 * number + 14, 14), fill=value)
    return image


def discs(method: Image.Resampling, value: int = 255) -> list[Image.Image]:
    """Maps of one disc of a value, drawn at 192 pixels and resized to 96."""
    found = []
    for number in range(3):
        image = Image.new("L", (192, 192))
        ImageDraw.Draw(image).ellipse((30, 40, 130 + 10 * number, 150), fill=value)
        found.append(image.resize((96, 96), method))
    return found


@pytest.mark.parametrize(
    "method", [Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS, Image.Resampling.BOX]
)
def test_a_map_resized_with_interpolation_is_refused(read: Read, method: Image.Resampling) -> None:
    with pytest.raises(DataError, match=r"resized with interpolation(.|\n)*nearest neighbour"):
        read(*discs(method), classes=["cup"])


@pytest.mark.parametrize("value", [4, 9])
def test_classes_that_interpolation_may_have_put_around_another_are_told(
    read: Read, caplog: pytest.LogCaptureFixture, value: int
) -> None:
    """Around a disc of class 4 lie thin rings of 1, 2 and 3, which are classes of the list too."""
    classes = [f"class {number}" for number in range(1, 10)]
    read(*discs(Image.Resampling.NEAREST, value), classes=classes)
    assert "interpolation" not in caplog.text
    found = read(*discs(Image.Resampling.BOX, value), classes=classes)
    assert {number for number, _ in found} == ({1, 2, 3, 4} if value == 4 else {3, 5, 7, 9})
    between = "1, 2, 3" if value == 4 else "3, 5, 7"
    assert f"train.txt: in its label maps, almost each pixel of the classes {between} touches a lower" in caplog.text


def street() -> numpy.ndarray:
    """A road with a line on it, a pole before the sky, outlines to ignore."""
    found = numpy.ones((40, 60), numpy.uint8)
    found[:20], found[:20, 30], found[30], found[19] = 2, 3, 4, 255
    return found


def floor_plan() -> numpy.ndarray:
    """Walls of 2 pixels around the rooms, with doors and windows in them."""
    found = numpy.full((40, 60), 4, numpy.uint8)
    found[:2], found[-2:], found[:, :2], found[:, -2:], found[:, 30:32] = 1, 1, 1, 1, 1
    found[10:16, 30:32], found[:2, 8:16], found[-2:, 40:50] = 2, 3, 3
    return numpy.pad(found, 4)


def pavement() -> numpy.ndarray:
    """Slabs with joints of a pixel, and a crack."""
    found = numpy.ones((40, 60), numpy.uint8)
    found[::10], found[:, ::10] = 3, 3
    found[numpy.arange(40), numpy.arange(40) + 5] = 2
    return found


def cell() -> numpy.ndarray:
    """A nucleus with two thin rings."""
    image = Image.new("L", (60, 40))
    for value, edge in ((1, 4), (2, 6), (3, 8)):
        ImageDraw.Draw(image).ellipse((edge, edge, 59 - edge, 39 - edge), fill=value)
    return numpy.asarray(image)


@pytest.mark.parametrize(
    ("drawn", "present"),
    [(street, [1, 2, 3, 4]), (floor_plan, [1, 2, 3, 4]), (pavement, [1, 2, 3]), (cell, [1, 2, 3])],
)
def test_thin_classes_that_touch_others_are_no_interpolation(
    read: Read, caplog: pytest.LogCaptureFixture, drawn: Callable[[], numpy.ndarray], present: list[int]
) -> None:
    found = read(*[Image.fromarray(drawn())] * 3, classes=["one", "two", "three", "four"])
    assert sorted({number for number, _ in found}) == present
    assert "interpolation" not in caplog.text


@pytest.mark.parametrize("mode", ["1", "RGB", "P"])
def test_white_on_black_is_the_class_in_any_mode(read: Read, mode: str) -> None:
    white = (255, 255, 255) if mode == "RGB" else 255
    assert read(squares(white, white, mode=mode), classes=["cup"]) == [(1, 100.0), (1, 100.0)]


def test_a_map_resized_to_the_nearest_neighbour_is_one_disc(read: Read) -> None:
    assert [number for number, _ in read(*discs(Image.Resampling.NEAREST), classes=["cup"])] == [1, 1, 1]


def test_many_objects_that_touch_are_no_interpolation(read: Read) -> None:
    tiles = numpy.kron(numpy.arange(1, 101).reshape(10, 10), numpy.ones((4, 4))).astype("uint8")
    assert read(Image.fromarray(tiles), classes=["cell"]) == [(1, 16.0)] * 100


def test_255_is_the_class_where_it_is_the_only_value(read: Read) -> None:
    assert read(squares(255, 255), classes=["cup"]) == [(1, 100.0), (1, 100.0)]


def test_255_is_ignored_beside_the_class_and_beside_numbered_instances(read: Read) -> None:
    assert read(squares(1, 255), classes=["cup"]) == [(1, 100.0)]
    assert read(squares(1, 2, 3, 255), classes=["cup"]) == [(1, 100.0)] * 3
    assert read(squares(7, 90, 255), classes=["cup"]) == [(1, 100.0)] * 3


def test_0_and_255_of_two_classes_say_what_255_means(read: Read) -> None:
    with pytest.raises(DataError, match="255 means ignore where there are several classes"):
        read(squares(255), classes=["cup", "plate"])


def test_grey_with_transparency_is_read(read: Read) -> None:
    image = squares((1, 255), (2, 255), (2, 0), mode="LA", background=(0, 0))
    assert read(image, classes=["cup", "plate"]) == [(1, 100.0), (2, 100.0)]


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_grey_saved_in_three_channels_is_read_without_a_palette(read: Read, mode: str) -> None:
    image = squares((1, 1, 1), (2, 2, 2), mode=mode, background=(0, 0, 0) if mode == "RGB" else (0, 0, 0, 0))
    assert read(image, classes=["cup", "plate"]) == [(1, 100.0), (2, 100.0)]


def test_a_colour_that_is_not_in_the_palette_is_refused_with_its_place(read: Read) -> None:
    image = squares(RED, (9, 8, 7), mode="RGB")
    with pytest.raises(DataError, match=r"m0.png has the colour \[9, 8, 7\], which is not in palette \(first at x 25"):
        read(image, classes=["cup", "plate"], palette=(RED, BLUE))
    assert read(squares(RED, BLUE, mode="RGB"), classes=["cup", "plate"], palette=(RED, BLUE)) == [(1, 100), (2, 100)]
    with pytest.raises(DataError, match=r"m0.png is in colour: set palette"):
        read(image, classes=["cup", "plate"])


def test_transparent_pixels_are_background_whatever_their_colour(read: Read) -> None:
    image = squares((*RED, 255), (9, 8, 7, 0), mode="RGBA", background=(255, 255, 255, 0))
    assert read(image, classes=["cup"], palette=(RED,)) == [(1, 100.0)]


def test_an_empty_class_name_is_refused() -> None:
    with pytest.raises(InputError, match="class_list: a class name is empty"):
        label_maps.check_classes(["cup", ""], [])
