"""Data sets that are made: as large as wanted, the same at every call, learnable."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Iterator
from pathlib import Path

from adapt_core.testing.small_models import bert, llama, vit

_WORDS = 2000
_PIXELS = 32


def vocabulary() -> list[str]:
    """Return the words of all texts."""
    choose = random.Random(0)
    syllables = [first + second for first in "bdfgklmnprstvz" for second in "aeiou"]
    return sorted({"".join(choose.choices(syllables, k=choose.randint(2, 4))) for _ in range(_WORDS)})


def labelled_texts(folder: Path, rows: int, classes: int) -> None:
    """Write train.csv and validation.csv with the columns text and label; one word of a text names its class.

    Args:
        folder: to be made.
        rows: of training; a hundredth of them, at least 64 and a row for each of 1,000 classes, is the validation.
        classes: named c0, c1, ...; at most as many as rows, so that each has a training row.
    """
    folder.mkdir(parents=True)
    words, classes = vocabulary(), min(classes, rows)
    for seed, (split, count) in enumerate((("train", rows), ("validation", max(rows // 100, 64, min(classes, 1000))))):
        choose = random.Random(seed)
        with (folder / f"{split}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["text", "label"])
            for row in range(count):
                label = row % classes
                text = choose.choices(words, k=choose.randint(4, 20))
                text.insert(choose.randint(0, len(text)), words[label % len(words)])
                writer.writerow([f"{row} {' '.join(text)}", f"c{label}"])


def documents(folder: Path, rows: int) -> None:
    """Write train.jsonl and validation.jsonl with the column text: 5 to 60 words, no two alike."""
    folder.mkdir(parents=True)
    words = vocabulary()
    for seed, (split, count) in enumerate((("train", rows), ("validation", max(rows // 100, 32)))):
        choose = random.Random(seed)
        with (folder / f"{split}.jsonl").open("w", encoding="utf-8") as file:
            for row in range(count):
                text = " ".join(choose.choices(words, k=choose.randint(5, 60)))
                file.write(json.dumps({"text": f"{row} {text}"}) + "\n")


def image_folders(folder: Path, rows: int) -> None:
    """Write train/CLASS/N.png and validation/CLASS/N.png: ten colours under noise, 32 pixels wide."""
    import numpy
    from PIL import Image

    for seed, (split, count) in enumerate((("train", rows), ("validation", max(rows // 100, 20)))):
        choose = numpy.random.default_rng(seed)
        colours = numpy.random.default_rng(9).integers(0, 192, (10, 1, 1, 3))
        for label in range(10):
            (folder / split / f"c{label}").mkdir(parents=True)
        for row in range(count):
            pixels = colours[row % 10] + choose.integers(0, 64, (_PIXELS, _PIXELS, 3))
            place = folder / split / f"c{row % 10}" / f"{row}.png"
            Image.fromarray(pixels.astype("uint8")).save(place, compress_level=1)


def _texts() -> Iterator[str]:
    yield from vocabulary()
    yield "0123456789"


def encoder(folder: Path) -> str:
    """Save a BERT of two layers, 32 wide, that knows the words; return MODEL_PATH."""
    return str(bert(folder, _texts()))


def decoder(folder: Path) -> str:
    """Save a Llama of two layers, 32 wide; return MODEL_PATH."""
    return str(llama(folder, _texts()))


def image_encoder(folder: Path) -> str:
    """Save a ViT of 32 pixels; return MODEL_PATH."""
    return str(vit(folder))
