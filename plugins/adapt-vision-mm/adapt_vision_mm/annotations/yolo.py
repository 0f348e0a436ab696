"""YOLO's labels, which are recognised, so that a message can say that they are not read.

A text file for each image, with a line "class x y width height" for each object, in shares of the image; class names
are in a `data.yaml` (https://docs.ultralytics.com/datasets/detect/).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

_LINE = re.compile(r"\d+(\s+-?\d*\.?\d+([eE]-?\d+)?){4,}\s*")
_NAMES = re.compile(r"^names\s*:", re.MULTILINE)
_PLACES = re.compile(r"^(train|val|nc|path)\s*:", re.MULTILINE)
_LOOKED_AT = 20
"""Files of a folder that are opened."""


def find_yolo(root: Path) -> Path | None:
    """Return the file by which a folder is known as a YOLO data set, or None."""
    for path in _candidates(root):
        text = _beginning(path)
        if path.suffix == ".txt":
            lines = [line for line in text.splitlines()[:3] if line.strip()]
            if lines and all(map(_LINE.fullmatch, lines)):
                return path
        elif _NAMES.search(text) and _PLACES.search(text):
            return path
    return None


def _candidates(root: Path) -> Iterator[Path]:
    for pattern in ("*.y*ml", "labels/*.txt", "labels/*/*.txt", "*/labels/*.txt", "*.txt", "*/*.txt"):
        yield from (path for path in islice(sorted(root.glob(pattern)), _LOOKED_AT) if path.is_file())


def _beginning(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(4096).decode("utf-8", "replace")
