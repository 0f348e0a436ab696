"""Every kind of picture becomes upright 8-bit RGB, or is named with what is wrong with it."""

from __future__ import annotations

import io
from pathlib import Path

import numpy
import pytest
from PIL import Image

from adapt_core.errors import DataError

from adapt_vision_mm.images.decoder import find_defect, read_rgb
from adapt_vision_mm.images.usage import READ_PHOTO


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def colour(data: bytes) -> tuple[int, ...]:
    image = read_rgb(data)
    assert image.mode == "RGB"
    return tuple(int(value) for value in numpy.asarray(image).reshape(-1, 3).mean(0).round())


def grey(value: int | float, dtype: str) -> Image.Image:
    return Image.fromarray(numpy.full((8, 8), value, dtype))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (saved(Image.new("RGB", (8, 8), (10, 20, 30)), "PNG"), (10, 20, 30)),
        (saved(Image.new("L", (8, 8), 77), "PNG"), (77, 77, 77)),
        (saved(Image.new("1", (8, 8), 1), "PNG"), (255, 255, 255)),
        (saved(Image.new("RGBA", (8, 8), (200, 0, 0, 0)), "PNG"), (255, 255, 255)),
        (saved(Image.new("RGBA", (8, 8), (200, 0, 0, 255)), "PNG"), (200, 0, 0)),
        (saved(Image.new("LA", (8, 8), (50, 0)), "PNG"), (255, 255, 255)),
        (saved(Image.new("RGB", (8, 8), (9, 9, 9)).quantize(4), "PNG"), (9, 9, 9)),
        (saved(Image.new("RGB", (8, 8), (9, 9, 9)).quantize(4), "PNG", transparency=0), (255, 255, 255)),
        (saved(grey(32896, "uint16"), "PNG"), (128, 128, 128)),
        (saved(grey(32896, "uint16"), "TIFF"), (128, 128, 128)),
        (saved(grey(200, "int32"), "TIFF"), (200, 200, 200)),
        (saved(grey(0.5, "float32"), "TIFF"), (128, 128, 128)),
        (saved(grey(64.0, "float32"), "TIFF"), (64, 64, 64)),
        (saved(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG"), (254, 0, 0)),
        (saved(Image.new("RGB", (8, 8), (120, 120, 120)), "WEBP", lossless=True), (120, 120, 120)),
    ],
    ids=[
        *("rgb", "grey", "bilevel", "transparent", "opaque", "grey-transparent", "palette", "palette-transparent"),
        *("16-bit-png", "16-bit-tiff", "32-bit", "float01", "float255", "cmyk", "webp"),
    ],
)
def test_each_mode_becomes_rgb(data: bytes, expected: tuple[int, ...]) -> None:
    assert colour(data) == pytest.approx(expected, abs=1)


@pytest.mark.parametrize(
    ("image", "kind"),
    [
        (Image.effect_noise((8, 8), 80).convert("RGB"), "PNG"),
        (Image.effect_noise((8, 8), 80), "PNG"),
        (Image.effect_noise((8, 8), 80).convert("LA"), "PNG"),
        (Image.new("RGBA", (8, 8), (200, 0, 0, 90)), "PNG"),
        (Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG"),
        (Image.fromarray(numpy.arange(0, 65536, 1024, dtype="uint16").reshape(8, 8)), "PNG"),
        (Image.fromarray(numpy.arange(0, 65536, 1024, dtype="uint16").reshape(8, 8)), "TIFF"),
    ],
    ids=["rgb", "grey", "grey-transparent", "half transparent", "cmyk", "16-bit-png", "16-bit-tiff"],
)
def test_the_lines_of_a_card_read_a_photo_as_adapt_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, image: Image.Image, kind: str
) -> None:
    (tmp_path / "photo.jpg").write_bytes(saved(image, kind))
    monkeypatch.chdir(tmp_path)
    names: dict[str, Image.Image] = {}
    exec(READ_PHOTO.replace("# ", "").partition("\n")[2], names)
    assert numpy.array_equal(numpy.asarray(names["photo"]), numpy.asarray(read_rgb(tmp_path / "photo.jpg")))


def test_a_photo_is_turned_as_its_exif_says() -> None:
    image = Image.new("RGB", (30, 10), "red")
    exif = image.getexif()
    exif[0x0112] = 6
    assert read_rgb(saved(image, "JPEG", exif=exif)).size == (10, 30)


def test_of_an_animation_the_first_frame_is_read() -> None:
    frames = [Image.new("RGB", (8, 8), name) for name in ("red", "blue")]
    assert colour(saved(frames[0], "GIF", save_all=True, append_images=frames[1:])) == (255, 0, 0)


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", "is empty (0 bytes)"),
        (b"<html>image not found</html>", "is not an image in a format that Pillow reads"),
        (saved(Image.effect_noise((90, 90), 80), "JPEG")[:1500], "cannot be decoded (image file is truncated"),
        (saved(Image.effect_noise((90, 90), 80), "PNG")[:1500], "cannot be decoded ("),
    ],
    ids=["empty", "html", "cut jpeg", "cut png"],
)
def test_what_is_wrong_is_said_with_the_file_s_name(tmp_path: Path, data: bytes, fault: str) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(data)
    assert str(find_defect(path)).startswith(fault)
    with pytest.raises(DataError, match=r"photo\.jpg: "):
        read_rgb(path)


def test_a_header_alone_tells_an_empty_or_foreign_file(tmp_path: Path) -> None:
    cut = saved(Image.effect_noise((90, 90), 80), "JPEG")[:1500]
    assert find_defect(cut, decode=False) is None
    assert find_defect(b"text", decode=False) is not None
    assert "No such file" in str(find_defect(tmp_path / "absent.jpg", decode=False))
