"""The rows of a format that yields images with objects, each image and box checked as in COCO JSON.

    {"image": "a.jpg", "objects": [{"category": "cat", "bbox": [x, y, width, height]}]}

The path is relative to the file of the row. `width` and `height`, where a row has them, are checked against the image.
An object may have `segmentation` (polygons or RLE, as COCO has them), `keypoints` (name -> [x, y, visibility]) and
`iscrowd`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from adapt_core.contracts.format import Row
from adapt_core.contracts.recognition import Recognised, described
from adapt_core.errors import DataError

from adapt_vision_mm.annotations.annotated_split import AnnotatedSplit
from adapt_vision_mm.annotations.bad_rows import BadRows
from adapt_vision_mm.annotations.formats.coco import read_data
from adapt_vision_mm.annotations.formats.contract import ReadOptions


def read_images(found: Recognised, options: ReadOptions) -> AnnotatedSplit:
    """Return the rows of a split as annotated images.

    Args:
        found: a split and its format.
        options: the classes of the training split, and what is done with bad rows.

    Raises:
        DataError: with file, row and reason.
    """
    source = described(found.place)
    bad, rows = BadRows(source, skip=options.skip), list[Row]()
    for row in found.format.read(found.place):
        if row.fault is None:
            rows.append(row)
        else:
            bad.add(row.fault, str(row))
    dropped = bad.counts()
    objects = [(number, row, one) for number, row in enumerate(rows, start=1) for one in _objects(row)]
    names = options.classes or sorted({str(one.get("category")) for _, _, one in objects})
    found_points: dict[str, set[str]] = {}
    for _, _, one in objects:
        found_points.setdefault(str(one.get("category")), set()).update(one.get("keypoints", {}))
    points = {name: sorted(known) for name, known in found_points.items()}  # in the same order in every split
    if not rows or not names:
        raise DataError(f"{source}: no image has an object. Add them, or name another file.")
    data = {
        "images": [_image(number, row) for number, row in enumerate(rows, start=1)],
        "categories": [
            {"id": number, "name": name, "keypoints": points.get(name, [])}
            for number, name in enumerate(names, start=1)
        ],
        "annotations": [_annotation(number, row, one, names, points) for number, row, one in objects],
    }
    split = read_data(data, Path(source), Path(source).parent, skip=options.skip, check=options.check)
    return attrs.evolve(split, dropped={**dropped, **split.dropped})


def _objects(row: Row) -> list[Mapping[str, Any]]:
    objects = row.values.get("objects")
    if not isinstance(objects, list) or not all(isinstance(one, Mapping) for one in objects):
        raise DataError(f"{row}: objects must be a list of mappings with category and bbox. Correct the row.")
    for one in objects:
        given = one.get("keypoints", {})
        if not isinstance(given, Mapping) or not all(
            isinstance(v, list | tuple) and len(v) == 3 for v in given.values()
        ):
            raise DataError(f"{row}: keypoints must map each name to [x, y, visibility]. Correct the row.")
    return objects


def _image(number: int, row: Row) -> dict[str, Any]:
    sides = {side: row.values[side] for side in ("width", "height") if side in row.values}
    return {"id": number, "file_name": str(row.file.parent / str(row.values.get("image"))), **sides}


def _annotation(
    number: int, row: Row, one: Mapping[str, Any], names: Sequence[str], points: Mapping[str, list[str]]
) -> dict[str, Any]:
    name = str(one.get("category"))
    values = {key: value for key, value in one.items() if key not in ("category", "keypoints")}
    values |= {"id": f"of {row}", "image_id": number}
    values["category_id"] = names.index(name) + 1 if name in names else name
    if points.get(name):
        given = one.get("keypoints", {})
        values["keypoints"] = [value for point in points[name] for value in given.get(point, (0, 0, 0))]
    return values
