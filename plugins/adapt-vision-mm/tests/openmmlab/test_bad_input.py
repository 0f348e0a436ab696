"""What is wrong with annotated images is said in seconds, with file and id; what is only odd is read or counted."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import adapt_core
from adapt_core.errors import DataError, InputError

pytest.importorskip("mmdet", reason="needs adapt-vision-mm[detection]")

Annotated = Callable[..., dict[str, Any]]
SQUARE = [2, 2, 20, 2, 20, 20, 2, 20]


@pytest.fixture
def annotated(tmp_path: Path) -> Annotated:
    """A config on two images of 40 x 30 with a box and a mask in the first, changed as asked for."""
    from PIL import Image

    def write(
        task: str = "instance_segmentation",
        annotation: dict[str, Any] | None = None,
        image: Callable[[Path], None] | None = None,
        suffix: str = "png",
        **keys: Any,
    ) -> dict[str, Any]:
        names = [f"a.{suffix}", f"b.{suffix}"]
        for name in names:
            Image.new("RGB", (40, 30), (200, 100, 50)).save(tmp_path / name)
        if image is not None:
            image(tmp_path / names[0])
        box = {"id": 11, "image_id": 1, "category_id": 1, "bbox": [2, 2, 18, 18], "area": 324, "iscrowd": 0}
        data = {
            "images": [{"id": n, "file_name": name, "width": 40, "height": 30} for n, name in enumerate(names, 1)],
            "categories": [{"id": 1, "name": "cell"}, {"id": 2, "name": "plate"}],
            "annotations": [{**box, "segmentation": [SQUARE], **(annotation or {})}],
        }
        for name in ("train.json", "val.json"):
            (tmp_path / name).write_text(json.dumps(data), encoding="utf-8")
        return {
            "TASK": task,
            "MODEL_PATH": "rtmdet-ins_tiny_8xb32-300e_coco",
            "CUSTOM_DATASET_PATH": str(tmp_path),
            "train_ann_file": "train.json",
            "val_ann_file": "val.json",
            **keys,
        }

    return write


@pytest.mark.parametrize(
    ("segmentation", "said"),
    [
        (None, "segmentation is missing"),
        ([], "segmentation is missing"),
        ([[1, 2, 3, 4]], "a polygon needs at least three points"),
        ([[1, 2, 3, 4, 5, 6, 7]], "a polygon needs at least three points"),
        ({"size": [30, 40]}, r"segmentation is not RLE \(size, counts\)"),
        ("abc", "segmentation is neither polygons nor RLE"),
        ([[1, 1, float("nan"), 1, 9, 9]], "a polygon contains a non-numeric value"),
        ([["1", "1", "9", "1", "9", "9"]], "a polygon contains a non-numeric value"),
        ({"size": [7, 9], "counts": [63]}, r"the RLE's size is \[7, 9\], its image's \[30, 40\]"),
        ({"size": [30, 40], "counts": [5, 5]}, "the RLE's counts do not fill its 30 x 40 pixels"),
        ({"size": [30, 40], "counts": [1300, -100]}, "the RLE's counts do not fill its 30 x 40 pixels"),
        ({"size": [30, 40], "counts": "%%%"}, "the RLE's counts do not fill its 30 x 40 pixels"),
        ({"size": [30, 40], "counts": ""}, "the RLE's counts do not fill its 30 x 40 pixels"),
        ({"size": [30, 40], "counts": None}, "the RLE's counts do not fill its 30 x 40 pixels"),
        ({"size": [30, 40], "counts": [1200]}, "the RLE has no pixel"),
        ({"size": [30.5, 40], "counts": [1200]}, r"the RLE's size is \[30.5, 40\], its image's \[30, 40\]"),
        ([[]], "a polygon needs at least three points"),
        ([2, 2, 20, 2, 20, 20], "segmentation is neither polygons nor RLE"),
        ([SQUARE, [2, 2, 50, 2, 50, 20]], r"a polygon extends 10 pixels beyond the image \(40 x 30\)"),
        ([[-7, 2, 20, 2, 20, 20]], "a polygon extends 7 pixels beyond the image"),
        ([[60, 50, 70, 50, 70, 60]], "a polygon extends 30 pixels beyond the image"),
        ([[2, 2, 5, 5, 9, 9]], "its polygons have no area"),
        ([[4, 4] * 3], "its polygons have no area"),
    ],
)
def test_masks_that_cannot_be_are_named(annotated: Annotated, segmentation: Any, said: str) -> None:
    with pytest.raises(DataError, match=f"annotation 11: {said}"):
        adapt_core.check(annotated(annotation={"segmentation": segmentation}))


def test_a_polygon_may_lie_half_a_pixel_outside_and_have_parts_without_area(annotated: Annotated) -> None:
    adapt_core.check(annotated(annotation={"segmentation": [[-0.5, 2, 40.5, 2, 20, 30.5], [1, 1, 1, 1, 1, 1]]}))


def test_masks_that_pycocotools_encodes_are_whole(annotated: Annotated) -> None:
    import numpy
    from pycocotools import mask as rle

    random = numpy.random.default_rng(0)
    for share in (0.01, 0.3, 0.9):
        pixels = numpy.asfortranarray(random.random((30, 40)) < share, dtype="uint8")
        counts = rle.encode(pixels)["counts"].decode()
        adapt_core.check(annotated(annotation={"segmentation": {"size": [30, 40], "counts": counts}}))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"image_id": [1]}, r"annotation 11: unknown image id \[1\]"),
        ({"category_id": {"a": 1}}, r"annotation 11: unknown category id"),
        ({"bbox": [float("nan"), 2, 18, 18]}, r"annotation 11: no bbox"),
    ],
)
def test_values_of_another_type_are_named(annotated: Annotated, change: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError, match=said):
        adapt_core.check(annotated(annotation=change))


@pytest.mark.parametrize(
    ("part", "key", "said"),
    [
        ("images", "id", "image number 1: an image needs an id"),
        ("images", "file_name", "image number 1: an image needs an id"),
        ("categories", "id", "a category needs an id"),
        ("categories", "name", "a category needs an id"),
    ],
)
@pytest.mark.parametrize("value", [[1], {}, None])
def test_ids_and_names_of_another_type_are_named(
    annotated: Annotated, tmp_path: Path, part: str, key: str, said: str, value: Any
) -> None:
    keys = annotated()
    data = json.loads((tmp_path / "train.json").read_text(encoding="utf-8"))
    data[part][0][key] = value
    (tmp_path / "train.json").write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(DataError, match=said):
        adapt_core.check(keys)


def test_gaps_are_counted_in_warnings(annotated: Annotated, caplog: pytest.LogCaptureFixture) -> None:
    adapt_core.check(annotated())
    said = [record.getMessage() for record in caplog.records]
    assert "1 of 2 classes have no training example: plate" in said
    assert "1 of 2 training images have no annotation and are left out" in said


@pytest.mark.parametrize(
    ("mode", "suffix", "grey"),
    [("L", "png", True), ("P", "png", False), ("RGBA", "png", False), ("CMYK", "jpg", False), ("I;16", "png", True)],
)
def test_images_of_odd_modes_are_read_as_eight_bit_colours(
    annotated: Annotated, tmp_path: Path, mode: str, suffix: str, grey: bool
) -> None:
    from PIL import Image

    from adapt_vision_mm.openmmlab import availability

    def change(path: Path) -> None:
        if mode == "I;16":
            Image.new("I;16", (40, 30), 100 * 257).save(path)
        else:
            Image.open(path).convert(mode).save(path)

    keys = annotated(image=change, suffix=suffix)
    with Image.open(tmp_path / f"a.{suffix}") as stored:
        assert stored.mode == mode
    adapt_core.check(keys)
    availability.import_openmmlab("mmdet")
    from adapt_vision_mm.openmmlab.photo import LoadPhoto

    pixels = LoadPhoto().transform({"img_path": str(tmp_path / f"a.{suffix}")})["img"]
    assert (pixels.shape, str(pixels.dtype)) == ((30, 40, 3), "uint8")
    blue, green, red = pixels.reshape(-1, 3).mean(axis=0)
    if grey:
        assert blue == green == red
        assert red == pytest.approx(124 if mode == "L" else 100, abs=3)
    else:
        assert (red, green, blue) == pytest.approx((200, 100, 50), abs=12)


def test_the_command_line_says_it_in_a_line_with_exit_code_2_before_torch_loads(
    annotated: Annotated, tmp_path: Path
) -> None:
    (tmp_path / "c.json").write_text(json.dumps(annotated(annotation={"category_id": 9})), encoding="utf-8")
    code = (
        "import sys\nfrom adapt_core.cli import main\n"
        "try:\n    main()\nfinally:\n    print(sorted({'torch', 'mmdet'} & set(sys.modules)))"
    )
    arguments = [sys.executable, "-c", code, "run", str(tmp_path / "c.json")]
    done = subprocess.run(arguments, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 2, done.stderr
    assert "train.json" in done.stderr
    assert "annotation 11: unknown category id 9" in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 10
    assert done.stdout.strip() == "[]"


def test_skip_bad_rows_drops_and_counts(annotated: Annotated, caplog: pytest.LogCaptureFixture) -> None:
    def two(path: Path) -> None:
        path.write_bytes(path.read_bytes()[:40])

    with pytest.raises(DataError, match=r"image 1 \(a.png\): image"):
        adapt_core.check(annotated(image=two))
    with pytest.raises(DataError, match="no image has an annotation"):
        adapt_core.check(annotated(image=two, SKIP_BAD_ROWS=True))


@pytest.mark.parametrize("task", ["object_detection", "instance_segmentation"])
def test_rows_in_memory_are_refused_with_what_to_do(annotated: Annotated, task: str) -> None:
    from PIL import Image

    keys = {**annotated(task), "CUSTOM_DATASET_PATH": None}
    for rows in ([{"image": Image.new("RGB", (9, 9)), "boxes": [[1, 1, 2, 2]]}], [{"image": "a.png"}]):
        with pytest.raises(InputError, match=r"does not train on rows in memory .* set CUSTOM_DATASET_PATH to it"):
            adapt_core.check(keys, data=rows)
