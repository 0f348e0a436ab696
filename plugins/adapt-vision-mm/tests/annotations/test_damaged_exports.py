"""Exports in which any value is replaced by another are read, or refused as the user's input."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("PIL")
pytest.importorskip("pycocotools")

from adapt_core.contracts import Format, Place
from adapt_core.errors import InputError
from adapt_core.plugin.registry import Registry

from .exports import (
    CORNERS,
    EXPORTS,
    cvat_box,
    cvat_image,
    cvat_text,
    labelme_file,
    labelme_shape,
    percents,
    save_images,
    studio_region,
    studio_task,
    write,
)

ODD: tuple[Any, ...] = (None, "", "x", "1e999", -1, 0, 1e308, float("nan"), True, [], [[]], {}, {"a": 1}, "\0", 10**400)
ROUNDS = 150


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value in a JSON document."""
    yield path
    keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield from places(value[key], (*path, key))


def replaced(value: Any, path: tuple[Any, ...], by: Any) -> Any:
    if not path:
        return by
    copied = dict(value) if isinstance(value, dict) else list(value)
    copied[path[0]] = replaced(value[path[0]], path[1:], by)
    return copied


def format_of(name: str) -> Format:
    item = Registry.discover().formats.find(name)
    assert item is not None
    made: Format = item.spec.load()()
    return made


def rich(tmp_path: Path, export: str) -> Path:
    """An export with several kinds of shapes."""
    save_images(tmp_path)
    if export.startswith("label studio") and "MIN" not in export:
        polygon = {"points": [[10.0, 10.0], [50.0, 10.0], [50.0, 50.0]], "closed": True}
        ellipse = {"x": 50, "y": 50, "radiusX": 10, "radiusY": 10, "rotation": 20}
        regions = [
            studio_region("cat", percents((24, 8, 16, 16)), id="one"),
            studio_region("cat", polygon, "polygon"),
            studio_region("dog", ellipse, "ellipse"),
            studio_region("dog", {"rle": [0, 0, 32, 0, 56], "format": "rle"}, "brush"),
            studio_region("nose", {"x": 40, "y": 40, "width": 1}, "keypoint", parentID="one"),
        ]
        return write(tmp_path / "p.json", [studio_task(1, "a.jpg", regions), studio_task(2, "b.jpg", regions[:1])])
    if export == "labelme":
        shapes = [
            labelme_shape("cat", "rectangle", [(1, 1), (9, 9)], group_id=1),
            labelme_shape("nose", "point", [(2, 2)], group_id=1),
            labelme_shape("cat", "polygon", CORNERS),
            labelme_shape("dog", "circle", [(32, 16), (32, 20)]),
        ]
        return write(tmp_path / "a.json", labelme_file("a.jpg", shapes))
    EXPORTS[export][1](tmp_path)
    return next(path for path in tmp_path.iterdir() if path.suffix != ".jpg")


def read_or_refused(reader: Format, place: Place) -> None:
    reader.recognise(place)
    said = str(place.root)
    try:
        list(reader.read(place))
    except InputError as error:
        said = str(error)
    assert str(place.root) in said


@pytest.mark.parametrize("export", [name for name in EXPORTS if name != "cvat" and "csv" not in name])
def test_json_with_odd_values_is_read_or_refused(tmp_path: Path, export: str) -> None:
    file = rich(tmp_path, export)
    whole = json.loads(file.read_text())
    reader, chosen = format_of(EXPORTS[export][0]), random.Random(0)
    every = list(places(whole))
    for _ in range(ROUNDS):
        file.write_text(json.dumps(replaced(whole, chosen.choice(every), chosen.choice(ODD))))
        read_or_refused(reader, Place(split="train", root=tmp_path, files=(file,)))


@pytest.mark.parametrize("export", ["cvat", "via, csv"])
def test_texts_with_odd_values_are_read_or_refused(tmp_path: Path, export: str) -> None:
    save_images(tmp_path)
    if export == "cvat":
        corners = ";".join(f"{x},{y}" for x, y in CORNERS)
        objects = [
            cvat_box("cat", (24, 8, 16, 16), rotation="20"),
            f'<polygon label="dog" points="{corners}" group_id="1"></polygon>',
            '<ellipse label="dog" cx="32" cy="16" rx="8" ry="4" rotation="20"></ellipse>',
            '<mask label="dog" rle="2, 2" left="1" top="1" width="2" height="2"></mask>',
            '<skeleton label="cow"><points label="nose" outside="0" occluded="0" points="9,9"></points></skeleton>',
        ]
        file = write(tmp_path / "annotations.xml", cvat_text([cvat_image(0, "a.jpg", objects)]))
    else:
        file = rich(tmp_path, export)
    text, chosen = file.read_text(), random.Random(0)
    values = [match.span() for match in re.finditer(r'(?<=")[^"\n]*(?=")|\d+', text)]
    reader = format_of(EXPORTS[export][0])
    for _ in range(ROUNDS):
        start, end = chosen.choice(values)
        file.write_text(
            text[:start] + chosen.choice(("", "x", "-1", "1e999", "nan", "9" * 30, "é", "1,2;")) + text[end:]
        )
        read_or_refused(reader, Place(split="train", root=tmp_path, files=(file,)))
