"""What one vision task honours in an image file, every other honours too: EXIF, transparency, depth, size."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
from PIL import Image

pytest.importorskip("mmdet", reason="needs adapt-vision-mm[detection]")

from adapt_vision_mm.annotations.annotated_split import AnnotatedImage, AnnotatedSplit, Category
from adapt_vision_mm.annotations.image_files import image_defect, image_sizes
from adapt_vision_mm.openmmlab import availability

Reader = Callable[[Path, bool], Any]


def classification(path: Path, as_stored: bool) -> Any:
    from adapt_vision_mm.image_classification.dataset import ImageDataset

    return numpy.asarray(ImageDataset([str(path)], [0], transform=lambda image: image).image(0))


def split_of(path: Path, as_stored: bool) -> AnnotatedSplit:
    upright, stored = image_sizes(path)
    width, height = stored if as_stored else upright
    box: Any = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 5, 5], "area": 25, "iscrowd": 0}
    points = {"keypoints": [2, 2, 2], "num_keypoints": 1}
    image = AnnotatedImage(
        id=1, path=path, width=width, height=height, as_stored=as_stored, annotations=({**box, **points},)
    )
    return AnnotatedSplit(source="", images=(image,), categories=(Category(id=1, name="a", keypoints=("nose",)),))


def detection(path: Path, as_stored: bool) -> Any:
    availability.import_openmmlab("mmdet")
    from adapt_vision_mm.openmmlab.detectors.dataset import AnnotatedDataset

    pipeline = [{"type": "LoadImageFromFile"}, {"type": "PackDetInputs", "meta_keys": ("img_path",)}]
    item = AnnotatedDataset(split_of(path, as_stored), pipeline, 0, training=True)[0]
    return item["inputs"].flip(0).permute(1, 2, 0).numpy()


def pose(path: Path, as_stored: bool, mode: str = "topdown") -> Any:
    pytest.importorskip("mmpose", reason="needs mmpose")
    availability.import_openmmlab("mmpose")
    from adapt_vision_mm.pose_detection.dataset import PoseDataset

    pipeline = [{"type": "LoadImage"}, {"type": "PackPoseInputs", "meta_keys": ("img_path",)}]
    item = PoseDataset(split_of(path, as_stored), pipeline, mode, 0, training=True)[0]
    return item["inputs"].flip(0).permute(1, 2, 0).numpy()


def bottom_up_pose(path: Path, as_stored: bool) -> Any:
    return pose(path, as_stored, "bottomup")


def drawing(path: Path, as_stored: bool) -> Any:
    from adapt_vision_mm.images.thumbnails import read_pixels

    return read_pixels(path, as_stored=as_stored).permute(1, 2, 0).numpy()


def prediction(path: Path, as_stored: bool) -> Any:
    from adapt_vision_mm.openmmlab.photo import read_bgr

    return read_bgr(path, as_stored=as_stored)[:, :, ::-1]


def turned() -> Image.Image:
    image = Image.new("RGB", (12, 8), (200, 0, 0))
    image.paste((0, 0, 200), (0, 0, 6, 8))
    image.getexif()[0x0112] = 6
    return image


def upright() -> Any:
    pixels = numpy.zeros((12, 8, 3), numpy.uint8)
    pixels[:6], pixels[6:] = (0, 0, 200), (200, 0, 0)
    return pixels


def half_transparent() -> Image.Image:
    image = Image.new("RGBA", (12, 8), (10, 20, 30, 255))
    image.paste((0, 0, 0, 0), (0, 0, 6, 8))
    return image


def whitened() -> Any:
    pixels = numpy.full((8, 12, 3), 255, numpy.uint8)
    pixels[:, 6:] = (10, 20, 30)
    return pixels


CASES = {
    "turned.png": (turned(), upright()),
    "transparent.png": (half_transparent(), whitened()),
    "deep.png": (Image.new("I;16", (12, 8), 100 * 257), numpy.full((8, 12, 3), 100, numpy.uint8)),
    "float.tiff": (Image.new("F", (12, 8), 0.5), numpy.full((8, 12, 3), 128, numpy.uint8)),
    "animated.gif": (Image.new("RGB", (12, 8), (1, 2, 3)), numpy.full((8, 12, 3), (1, 2, 3), numpy.uint8)),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("reader", [classification, detection, pose, bottom_up_pose, drawing, prediction])
def test_every_task_sees_the_same_pixels(tmp_path: Path, reader: Reader, name: str) -> None:
    image, pixels = CASES[name]
    image.save(tmp_path / name, exif=image.getexif())
    assert image_defect(tmp_path / name) is None
    assert numpy.array_equal(reader(tmp_path / name, False), pixels)


@pytest.mark.parametrize("reader", [detection, pose, bottom_up_pose, drawing])
def test_annotations_of_the_stored_pixels_get_the_stored_pixels(tmp_path: Path, reader: Reader) -> None:
    turned().save(tmp_path / "turned.png", exif=turned().getexif())
    pixels = numpy.zeros((8, 12, 3), numpy.uint8)
    pixels[:, :6], pixels[:, 6:] = (0, 0, 200), (200, 0, 0)
    assert numpy.array_equal(reader(tmp_path / "turned.png", True), pixels)


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (333, 2), (640, 427)])
def test_channels_are_turned_to_the_bytes_of_a_reversed_copy(tmp_path: Path, size: tuple[int, int]) -> None:
    from adapt_vision_mm.openmmlab.photo import as_pixels, read_bgr

    noise = numpy.random.default_rng(7).integers(0, 256, (*size[::-1], 3), dtype=numpy.uint8)
    path = tmp_path / "noise.jpg"
    Image.fromarray(noise).save(path, quality=90)
    rgb = numpy.asarray(Image.open(path))
    found = read_bgr(path)
    numpy.testing.assert_array_equal(found, rgb[:, :, ::-1])
    assert found.dtype == numpy.uint8
    assert found.flags.c_contiguous
    assert found.flags.writeable, "a step of a pipeline may write into it"
    numpy.testing.assert_array_equal(as_pixels(found).permute(1, 2, 0).numpy(), rgb)
