"""COCO JSON and Pascal VOC pass core's contract for formats."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("PIL")
pytest.importorskip("pycocotools")

from PIL import Image

from adapt_core.contracts import Format, Place
from adapt_core.testing import FormatContract


def save_images(folder: Path) -> list[str]:
    folder.mkdir(exist_ok=True)
    for name in ("a", "b"):
        Image.new("RGB", (40, 30), (90, 20, 20)).save(folder / f"{name}.jpg")
    return ["a", "b"]


class TestCoco(FormatContract):
    name = "coco"

    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        names = save_images(tmp_path)
        data = {
            "images": [{"id": n, "file_name": f"{name}.jpg"} for n, name in enumerate(names)],
            "categories": [{"id": 3, "name": "cat", "keypoints": ["nose", "tail"]}],
            "annotations": [
                {
                    "id": n,
                    "image_id": n,
                    "category_id": 3,
                    "bbox": [1, 2, 10, 12],
                    "keypoints": [2, 3, 2, 4, 5, 1],
                    "segmentation": [[1, 2, 11, 2, 11, 14]],
                }
                for n in range(len(names))
            ],
        }
        file = tmp_path / "train.json"
        file.write_text(json.dumps(data), encoding="utf-8")
        return Place(split="train", root=tmp_path, files=(file,))

    def test_rows_have_names_for_classes_and_points(self, place: Place, reader: Format) -> None:
        row = next(iter(reader.read(place)))
        assert Path(row.values["image"]).name == "a.jpg"
        assert row.values["objects"] == [
            {
                "category": "cat",
                "bbox": [1, 2, 10, 12],
                "iscrowd": 0,
                "segmentation": [[1, 2, 11, 2, 11, 14]],
                "keypoints": {"nose": [2, 3, 2], "tail": [4, 5, 1]},
            }
        ]


class TestPascalVoc(FormatContract):
    name = "voc"

    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        (tmp_path / "Annotations").mkdir()
        corners = "<xmin>2</xmin><ymin>3</ymin><xmax>12</xmax><ymax>15</ymax>"
        for name in save_images(tmp_path / "JPEGImages"):
            (tmp_path / "Annotations" / f"{name}.xml").write_text(
                f"<annotation><object><name>cat</name><bndbox>{corners}</bndbox></object></annotation>"
            )
        return Place(split="train", root=tmp_path)
