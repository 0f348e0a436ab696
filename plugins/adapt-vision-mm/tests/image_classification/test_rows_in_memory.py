"""Images in memory: rows of PIL images, bytes or paths train as image files do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import adapt_core
from adapt_core.errors import InputError

from ..conftest import Keys
from ..pictures import COLOURS, picture


def rows_of(folder: Path, form: str) -> list[dict[str, Any]]:
    from PIL import Image

    read = {"PIL": Image.open, "bytes": Path.read_bytes, "path": str}[form]
    files = [(colour, file) for colour in COLOURS for file in sorted((folder / colour).iterdir())]
    return [{"image": read(file), "label": colour} for colour, file in files]


@pytest.mark.parametrize("form", ["PIL", "bytes", "path"])
def test_images_in_memory_train_as_files_do(form: str, hf_keys: Keys, pictures: Path, tmp_path: Path) -> None:
    keys = {**hf_keys, "MAX_STEPS": 2, "augmentation": False}
    expected = adapt_core.run({**keys, "OUTPUT_DIR": str(tmp_path / "files")})
    data = {"train": rows_of(pictures / "train", form), "validation": rows_of(pictures / "val", form)}
    result = adapt_core.run({**keys, "CUSTOM_DATASET_PATH": None}, data=data)
    assert result.metrics["before"] == pytest.approx(expected.metrics["before"], abs=1e-5)
    picture("red", 7).save(tmp_path / "red.png")
    [found] = adapt_core.predict(result, tmp_path / "red.png")
    assert found["label"] in COLOURS


def test_images_in_memory_are_predicted_as_files_are(hf_keys: Keys, pictures: Path, tmp_path: Path) -> None:
    import numpy
    from PIL import Image

    result = adapt_core.run({**hf_keys, "MAX_STEPS": 2, "DO_EVAL": False})
    files = [pictures / "val" / colour / "0.jpg" for colour in COLOURS]
    images = [Image.open(file) for file in files]
    arrays = [numpy.asarray(image) for image in images]
    expected = [one["top"] for one in adapt_core.predict(result, list(files))]
    for given in (
        images,
        arrays,
        [images[0], arrays[1], arrays[2]],
        [{"image": str(file)} for file in files],
        [{"image": image, "id": 1} for image in images],
        [{"image": array} for array in arrays],
        [{"image": file.read_bytes()} for file in files],
    ):
        assert [one["top"] for one in adapt_core.predict(result, given)] == expected
    assert [one["top"] for one in adapt_core.predict(result, images[1])] == expected[1:2]
    for wrong, said in (
        ([{"picture": images[0]}], "no column image, file_name, path. Name the column of the images so"),
        ([{"image": images[0]}, {"image": None}], "row 2 has no image in image. Give a path, bytes or an image"),
        ([{"image": arrays[0] / 255}], "row 1 has no image in image"),
        ([{"image": b"no image"}], "row-1.png .* Give an image"),
        ([{"image": "absent.png"}], "absent.png .* Give an image"),
        ([files[0], images[1]], "Give each column one type"),
        ([7], "row 1 of train is int: give each row as a dict"),
    ):
        with pytest.raises(InputError, match=said):
            adapt_core.predict(result, wrong)
