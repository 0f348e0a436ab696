"""Small COCO files with their images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from PIL import Image

PERSON = ({"id": 1, "name": "person", "keypoints": ["nose"]},)
CUP_AND_PLATE = ({"id": 1, "name": "cup"}, {"id": 2, "name": "plate"})


def write_coco(
    file: Path, images: Path, count: int = 1, categories: Any = CUP_AND_PLATE, used: tuple[int, ...] = (1, 2)
) -> None:
    """Write a COCO file with `count` images, each with an object of each class in `used`."""
    file.parent.mkdir(parents=True, exist_ok=True)
    images.mkdir(parents=True, exist_ok=True)
    entries, annotations = [], []
    for number in range(1, count + 1):
        name = f"{file.stem}-{number}.png"
        Image.new("RGB", (40, 30)).save(images / name)
        entries.append({"id": number, "file_name": name})
        for category in used:
            box = {"bbox": [2, 2, 18, 18], "segmentation": [[2, 2, 20, 2, 20, 20]], "keypoints": [5, 5, 2]}
            annotations.append({"id": len(annotations), "image_id": number, "category_id": category, **box})
    data = {"images": entries, "categories": list(categories), "annotations": annotations}
    file.write_text(json.dumps(data), encoding="utf-8")
