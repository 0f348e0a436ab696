"""The names of splits, of files and of folders, that mean train, validation and test."""

from __future__ import annotations

SPLIT_NAMES = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev", "eval", "evaluation"),
    "test": ("test", "testing"),
}


def canonical_split(name: str) -> str | None:
    """Return "train", "validation" or "test" for the name of a split or file, or None."""
    words = name.casefold().replace("-", "_").replace(".", "_").split("_")
    for split, names in SPLIT_NAMES.items():
        if words[0] in names or words[-1] in names:
            return split
    return None
