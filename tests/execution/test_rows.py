"""Rows in memory become files of the cache."""

from __future__ import annotations

import io
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from adapt_core.errors import InputError
from adapt_core.execution.rows import as_arguments, store_rows

config = pytest.importorskip("datasets", reason="needs the extra adapt-core[hf]").config

ROWS = [{"text": f"row {number}", "label": "even" if number % 2 == 0 else "odd"} for number in range(50)]


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "HF_DATASETS_CACHE", tmp_path)


def test_half_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(InputError, match="the rows of train are no table"):
        store_rows([{"text": "\ud83d"}])


def test_several_ranks_may_write_the_same_rows_at_once(tmp_path: Path) -> None:
    for turn in range(10):
        rows = [*ROWS, {"text": f"turn {turn}", "label": "odd"}]
        with ThreadPoolExecutor(8) as pool:
            stored = list(pool.map(store_rows, [rows] * 8))
        assert len({files["train"] for files in stored}) == 1
    folders = {path.name for path in (tmp_path / "adapt").iterdir()}
    assert len(folders) == 10
    assert not [name for name in folders if name.startswith(".")]


def stored_images(images: list[Any]) -> list[Any]:
    from datasets import Dataset

    (file,) = as_arguments(images)
    return list(Dataset.from_parquet(file)["image"])


def pixels(image: Any) -> Any:
    import numpy

    return numpy.asarray(image).tolist()


@pytest.fixture
def photo() -> Any:
    pillow = pytest.importorskip("PIL.Image", reason="needs Pillow")
    noise = random.Random(0).randbytes(12 * 8 * 3)
    return pillow.frombytes("RGB", (12, 8), noise)


def test_an_image_changed_after_it_was_opened_is_stored_as_it_is(photo: Any, tmp_path: Path) -> None:
    from PIL import Image

    photo.save(tmp_path / "photo.png")
    opened = Image.open(tmp_path / "photo.png")
    opened.paste((1, 2, 3), (0, 0, 5, 5))
    photo.paste((1, 2, 3), (0, 0, 5, 5))
    assert [pixels(image) for image in stored_images([opened])] == [pixels(photo)]


@pytest.mark.parametrize("form", ["JPEG", "TIFF", "PNG"])
@pytest.mark.parametrize("in_memory", [True, False])
def test_an_opened_image_keeps_its_pixels_and_is_turned_once(
    photo: Any, tmp_path: Path, form: str, in_memory: bool
) -> None:
    from PIL import Image, ImageOps

    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright
    photo.save(tmp_path / "photo", format=form, exif=exif)
    expected = ImageOps.exif_transpose(Image.open(tmp_path / "photo"))
    assert expected.size == (8, 12)
    source: Any = io.BytesIO((tmp_path / "photo").read_bytes()) if in_memory else tmp_path / "photo"
    (image,) = stored_images([Image.open(source)])
    assert pixels(image) == pixels(expected)
    assert image.getexif().get(0x0112, 1) == 1


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGBA", "RGBa", "CMYK", "YCbCr", "HSV", "I", "F", "I;16"])
def test_each_mode_keeps_its_values(photo: Any, mode: str) -> None:
    through = {"RGBa": "RGBA", "I;16": "I"}.get(mode, "RGB")
    image = photo.convert(through).convert(mode)
    (stored,) = stored_images([image])
    expected = image.convert({"RGBa": "RGBA", "HSV": "RGB"}.get(mode, mode))
    assert (stored.mode, pixels(stored)) == (expected.mode, pixels(expected))


def test_transparent_colours_of_a_palette_stay_transparent(photo: Any) -> None:
    image = photo.quantize(4)
    image.info["transparency"] = 2
    (stored,) = stored_images([image])
    assert pixels(stored.convert("RGBA")) == pixels(image.convert("RGBA"))


def test_an_image_that_cannot_be_decoded_is_named(photo: Any) -> None:
    from PIL import Image

    content = io.BytesIO()
    photo.save(content, format="JPEG")
    with pytest.raises(InputError, match="an image cannot be decoded"):
        as_arguments([Image.open(io.BytesIO(content.getvalue()[:-60]))])
