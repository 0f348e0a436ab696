"""Data sets with faults written into them: rows of training that validation repeats, and labels that are wrong.

Exact duplicates are copies with other case and white space (texts) or of the same bytes (images). Near duplicates are
what editors and cameras do:

- texts: one word in twelve is dropped, one neighbouring pair of words in twelve changes places, one word in twelve
  loses a letter, at least one of these each (a text of up to eight words loses no letter, one of up to three words
  nothing); the first letter's case changes.
- images: encoded anew as JPEG of quality 60, 85 % of the size, 2 % of each margin cut off, 10 % brighter.

A wrong label is any other class, each as likely as the others.
"""

from __future__ import annotations

import csv
import io
import json
import random
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import attrs

from adapt_core.plugin import Examples

DUPLICATES = 0.05
WRONG = 0.08

_CORNERS = ("xmin", "ymin", "xmax", "ymax")


@attrs.frozen
class Injected:
    """Training and validation with faults.

    Attributes:
        train, validation: the examples.
        exact, near: positions in validation of what was added.
        wrong: places (position, part) in training whose label is wrong; part is None where a row has one label.
    """

    train: Examples
    validation: Examples
    exact: frozenset[int]
    near: frozenset[int]
    wrong: frozenset[tuple[int, int | None]]


def read(folder: Path, kind: str) -> tuple[Examples, Examples]:
    """Return training and validation of one of the data sets in ../shared/data.

    Args:
        folder: the folder of the data set.
        kind: "text+label", "tokens+NAME_OF_THE_TAGS", "folders", "coco" or "voc".
    """
    if kind == "folders":
        return _folders(folder / "train"), _folders(folder / "val")
    if kind == "voc":
        return _voc(folder, "train"), _voc(folder, "val")
    if kind == "coco":
        return _coco(folder, "train"), _coco(folder, "val")
    rows = [_rows(folder, split) for split in ("train", "validation")]
    if kind == "text+label":
        pairs = [Examples(texts=[r["text"] for r in own], labels=[(str(r["label"]),) for r in own]) for own in rows]
    else:
        tags = kind.partition("+")[2]
        pairs = [
            Examples(
                texts=[" ".join(row["tokens"]) for row in own],
                parts=[row["tokens"] for row in own],
                labels=[row[tags] for row in own],
            )
            for own in rows
        ]
    return pairs[0], pairs[1]


def _rows(folder: Path, split: str) -> list[dict[str, Any]]:
    if (folder / f"{split}.csv").is_file():
        with (folder / f"{split}.csv").open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    return [json.loads(line) for line in (folder / f"{split}.jsonl").open(encoding="utf-8")]


def _folders(folder: Path) -> Examples:
    paths = sorted(path for path in folder.glob("*/*") if path.is_file())
    return Examples(images=paths, labels=[(path.parent.name,) for path in paths])


def _coco(folder: Path, split: str) -> Examples:
    told = json.loads((folder / "annotations" / f"instances_{split}.json").read_text(encoding="utf-8"))
    names = {one["id"]: one["name"] for one in told["categories"]}
    objects: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for one in told["annotations"]:
        objects[one["image_id"]].append(one)
    return Examples(
        images=[folder / split / one["file_name"] for one in told["images"]],
        labels=[[names[found["category_id"]] for found in objects[one["id"]]] for one in told["images"]],
        parts=[[found["bbox"] for found in objects[one["id"]]] for one in told["images"]],
    )


def _voc(folder: Path, split: str) -> Examples:
    images, labels, parts = [], [], []
    for name in (folder / "ImageSets" / "Main" / f"{split}.txt").read_text(encoding="utf-8").split():
        images.append(folder / "JPEGImages" / f"{name}.jpg")
        objects = ElementTree.parse(folder / "Annotations" / f"{name}.xml").getroot().findall("object")
        labels.append([one.findtext("name", "") for one in objects])
        corners = [[float(one.findtext(f"bndbox/{key}", "0")) for key in _CORNERS] for one in objects]
        parts.append([[left, top, right - left, bottom - top] for left, top, right, bottom in corners])
    return Examples(images=images, labels=labels, parts=parts)


def inject(train: Examples, validation: Examples, seed: int) -> Injected:
    """Return the splits with faults, chosen by a seed.

    As many rows as 5 % of training are repeated in validation as they are, as many others nearly as they are; 8 % of
    the labels of training are wrong.
    """
    chance = random.Random(seed)
    count = max(1, round(DUPLICATES * len(train)))
    chosen = chance.sample(range(len(train)), 2 * count)
    copies = [_copy(train, row, chance, near=number >= count) for number, row in enumerate(chosen)]
    start = len(validation)
    more: dict[str, Any] = {"labels": [*validation.labels, *(train.labels[row] for row in chosen)]}
    name = "images" if len(train.images) else "texts"
    more[name] = [*getattr(validation, name), *copies]
    if len(train.parts):
        more["parts"] = [*validation.parts, *(train.parts[row] for row in chosen)]
    labels, wrong = _flip(train, chance)
    return Injected(
        attrs.evolve(train, labels=labels),
        attrs.evolve(validation, **more),
        frozenset(range(start, start + count)),
        frozenset(range(start + count, start + 2 * count)),
        wrong,
    )


def _flip(train: Examples, chance: random.Random) -> tuple[list[Sequence[str]], frozenset[tuple[int, int | None]]]:
    places = [(row, part) for row, names in enumerate(train.labels) for part in range(len(names))]
    known = sorted({name for names in train.labels for name in names})
    chosen = chance.sample(places, round(WRONG * len(places)))
    labels = [list(names) for names in train.labels]
    for row, part in chosen:
        labels[row][part] = chance.choice([name for name in known if name != labels[row][part]])
    return list(labels), frozenset((row, part if len(train.parts) else None) for row, part in chosen)


def _copy(train: Examples, row: int, chance: random.Random, *, near: bool) -> Any:
    if not len(train.images):
        text = train.texts[row]
        return edited(text, chance) if near else text.upper().replace(" ", "  ")
    image = train.images[row]
    assert isinstance(image, Path)
    return photographed(image) if near else image.read_bytes()


def edited(text: str, chance: random.Random) -> str:
    """Return a text as somebody else would have typed it."""
    words = text.split()
    times = max(1, len(words) // 12)
    for _ in range(times):
        if len(words) > 3:
            del words[chance.randrange(len(words))]
    for _ in range(times):
        if len(words) > 3:
            first = chance.randrange(len(words) - 1)
            words[first], words[first + 1] = words[first + 1], words[first]
    for _ in range(times if len(words) > 8 else 0):
        number = chance.randrange(len(words))
        if len(words[number]) > 3:
            cut = chance.randrange(len(words[number]))
            words[number] = words[number][:cut] + words[number][cut + 1 :]
    changed = " ".join(words)
    return changed[:1].swapcase() + changed[1:]


def photographed(path: Path) -> bytes:
    """Return an image as another program would have saved it."""
    from PIL import Image, ImageEnhance

    with Image.open(path) as opened:
        image = opened.convert("RGB")
    width, height = image.size
    box = (round(0.02 * width), round(0.02 * height), width - round(0.02 * width), height - round(0.02 * height))
    image = image.crop(box).resize((max(8, round(0.85 * width)), max(8, round(0.85 * height))))
    saved = io.BytesIO()
    ImageEnhance.Brightness(image).enhance(1.1).save(saved, "JPEG", quality=60)
    return saved.getvalue()
