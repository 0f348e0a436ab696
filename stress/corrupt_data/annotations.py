"""Corruptions of COCO files and of the images that they name."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from stress.corrupt_data.corruption import Corruption
from stress.corrupt_data.images import IMAGES, corrupt_one

Coco = dict[str, Any]
TRAIN = "train.json"
_BAD_VALUES: dict[str, Any] = {
    "null": None,
    "a text": "7",
    "a list": [1],
    "NaN": float("nan"),
    "below zero": -1,
    "a fraction": 0.5,
    "an unknown number": 999_999,
}
_BOXES: dict[str, Any] = {
    "of no width": [5, 5, 0, 9],
    "of negative width": [5, 5, -4, 9],
    "outside": [100_000, 5, 10, 10],
    "before the image": [-50, -50, 10, 10],
    "reaching outside": [1, 1, 100_000, 100_000],
    "of three numbers": [1, 2, 3],
    "of texts": ["1", "2", "3", "4"],
    "of NaN": [1, 2, float("nan"), 4],
    "of infinity": [1, 2, float("inf"), 4],
    "null": None,
    "of a tenth of a pixel": [5, 5, 0.1, 0.1],
}
_MASKS: dict[str, Any] = {
    "of two points": [[1, 1, 9, 9]],
    "of an odd count": [[1, 1, 9, 9, 9]],
    "empty": [],
    "of an empty polygon": [[]],
    "outside": [[99_990, 1, 99_999, 1, 99_999, 9]],
    "of texts": [["1", "1", "9", "1", "9", "9"]],
    "of NaN": [[1, 1, float("nan"), 1, 9, 9]],
    "of another size": {"size": [7, 9], "counts": [20, 20, 23]},
    "of broken counts": {"size": [64, 64], "counts": "%%%"},
    "of counts that do not fill it": {"size": [64, 64], "counts": [5, 5]},
    "null": None,
}
_POINTS: dict[str, Any] = {
    "too few": [1, 1, 2],
    "of texts": ["1", "1", "2"] * 4,
    "of NaN": [float("nan"), 1, 2] * 4,
    "outside": [100_000, 100_000, 2] * 4,
    "unseen": [0, 0, 0] * 4,
    "of an odd visibility": [5, 5, 9] * 4,
    "null": None,
}


def _changed(change: Callable[[Coco, Random], None], folder: Path, dice: Random) -> None:
    file = folder / TRAIN
    data = json.loads(file.read_text(encoding="utf-8"))
    change(data, dice)
    file.write_text(json.dumps(data), encoding="utf-8")


def _set(part: str, key: str, value: Any, data: Coco, dice: Random) -> None:
    dice.choice(data[part])[key] = value


def _delete(part: str, key: str, data: Coco, dice: Random) -> None:
    del dice.choice(data[part])[key]


def _replace(part: str, value: Any, data: Coco, dice: Random) -> None:
    data[part] = value


def _drop(part: str, data: Coco, dice: Random) -> None:
    del data[part]


def _gaps(data: Coco, dice: Random) -> None:
    """Return category ids with gaps, in another order."""
    new = {category["id"]: 7 + 90 * number for number, category in enumerate(reversed(data["categories"]))}
    for category in data["categories"]:
        category["id"] = new[category["id"]]
    for annotation in data["annotations"]:
        annotation["category_id"] = new[annotation["category_id"]]


def _twice(part: str, data: Coco, dice: Random) -> None:
    data[part].append(dict(dice.choice(data[part])))


def _two_of_one_name(data: Coco, dice: Random) -> None:
    data["categories"].append({**data["categories"][0], "id": 5000})


def _wrong_size(data: Coco, dice: Random) -> None:
    image = dice.choice(data["images"])
    image["width"], image["height"] = image["width"] * 2, image["height"] * 2


def _all_crowd(data: Coco, dice: Random) -> None:
    for annotation in data["annotations"]:
        annotation["iscrowd"] = 1


def _unused_category(data: Coco, dice: Random) -> None:
    data["categories"].append({**data["categories"][0], "id": 77, "name": "never seen"})


def _climbing(data: Coco, dice: Random) -> None:
    dice.choice(data["images"])["file_name"] = "../../../../etc/hostname"


_FILES: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("cut", lambda data: data[: len(data) // 2]),
    ("empty", lambda data: b""),
    ("UTF-16", lambda data: data.decode().encode("utf-16")),
    ("a list", lambda data: b"[]"),
    ("an empty mapping", lambda data: b"{}"),
    ("random bytes", lambda data: bytes(range(256))),
    ("a byte order mark", lambda data: b"\xef\xbb\xbf" + data),
]


def _file(change: Callable[[bytes], bytes], folder: Path, dice: Random) -> None:
    (folder / TRAIN).write_bytes(change((folder / TRAIN).read_bytes()))


def corruptions(kind: str) -> Iterator[Corruption]:
    """Yield every corruption of train.json and images/.

    Args:
        kind: "object_detection", "instance_segmentation" or "pose_detection".
    """
    for name, change in _FILES:
        yield Corruption(f"the file is {name}", partial(_file, change))
    changes: dict[str, Callable[[Coco, Random], None]] = {
        "category ids with gaps": _gaps,
        "two categories of one name": _two_of_one_name,
        "a category without examples": _unused_category,
        "another size than the image's": _wrong_size,
        "crowds only": _all_crowd,
        "a file name that climbs": _climbing,
        "no file of this name": partial(_set, "images", "file_name", "absent.jpg"),
        **{f"{part}: one twice": partial(_twice, part) for part in ("images", "annotations", "categories")},
        **{f"no {part}": partial(_drop, part) for part in ("images", "annotations", "categories")},
        **{f"{part} empty": partial(_replace, part, []) for part in ("images", "annotations", "categories")},
        **{f"{part} a mapping": partial(_replace, part, {}) for part in ("images", "annotations", "categories")},
    }
    needed = {"images": ("id", "file_name"), "annotations": ("image_id", "category_id"), "categories": ("id", "name")}
    for part, keys in needed.items():
        for key in keys:
            changes[f"{part}: one without {key}"] = partial(_delete, part, key)
            for name, value in _BAD_VALUES.items():
                changes[f"{part}: {key} is {name}"] = partial(_set, part, key, value)
    for name, value in _BOXES.items():
        changes[f"a box {name}"] = partial(_set, "annotations", "bbox", value)
    if kind == "instance_segmentation":
        for name, value in _MASKS.items():
            changes[f"a mask {name}"] = partial(_set, "annotations", "segmentation", value)
    if kind == "pose_detection":
        for name, value in _POINTS.items():
            changes[f"points {name}"] = partial(_set, "annotations", "keypoints", value)
    for name, made in changes.items():
        yield Corruption(name, partial(_changed, made))
    for name, image_change, accepted in IMAGES:
        yield Corruption(f"an image: {name}", partial(corrupt_one, image_change, "images/*"), accepted)
