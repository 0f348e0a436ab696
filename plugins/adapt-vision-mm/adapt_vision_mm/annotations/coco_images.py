"""Where the images of a COCO file lie."""

from __future__ import annotations

import json
import os
from pathlib import Path

SPLIT_FOLDERS: dict[str, tuple[str, ...]] = {
    "train": ("train",),
    "val": ("val", "valid", "validation"),
    "test": ("test",),
}
"""What data sets call the folder of a split."""


def image_path(folder: Path, file_name: object) -> Path:
    """Return the file of a `file_name`, also where white space surrounds it or Windows wrote the folders in it."""
    name = str(file_name)
    if os.path.isfile(folder / name):
        return folder / name
    spelled = [name.replace("\\", "/"), name.strip(), name.strip().replace("\\", "/")]
    return next((folder / one for one in spelled if os.path.isfile(folder / one)), folder / spelled[-1])


def find_image_folder(root: Path, split: str, file: Path) -> Path | None:
    """Return the first folder that holds the first image of the file; None where there is none.

    Args:
        root: CUSTOM_DATASET_PATH.
        split: "train", "val" or "test".
        file: `instances_val2017.json` has the images of `val2017`, whichever split it is read as.
    """
    name = _first_image(file)
    if name is None:
        return None
    part = file.stem.rpartition("_")[2]
    own = [part, f"images/{part}"] if split_named_by(file) else []
    places = [*own, split, f"{split}2017", f"{split}2014", "images", f"images/{split}"]
    folders = [*(root / place for place in places), file.parent, root]
    return next((folder for folder in folders if os.path.isfile(image_path(folder, name))), None)


def holds_first_image(folder: Path, file: Path) -> bool:
    """Return whether a folder holds the first image of a file."""
    name = _first_image(file)
    return name is not None and os.path.isfile(image_path(folder, name))


def split_named_by(file: Path) -> str | None:
    """Return the split whose name ends that of a file, as in `person_keypoints_val2017.json`; else None."""
    return split_called(file.stem.rpartition("_")[2])


def split_called(word: str) -> str | None:
    """Return the split of a name in small letters that may have a number, as in `val2017`; else None."""
    bare = word.rstrip("0123456789")
    return next((split for split, names in SPLIT_FOLDERS.items() if bare in names), None)


def _first_image(file: Path) -> str | None:
    try:
        return str(json.loads(file.read_text(encoding="utf-8-sig"))["images"][0]["file_name"])
    except (OSError, ValueError, KeyError, IndexError, TypeError):
        return None  # whoever reads the file reports what is wrong with it
