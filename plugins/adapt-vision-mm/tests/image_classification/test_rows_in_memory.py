"""Images in memory: rows of PIL images, bytes or paths train as image files do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import adapt_core

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
