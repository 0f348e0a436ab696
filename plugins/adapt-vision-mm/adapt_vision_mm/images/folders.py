"""Class folders: CLASS/*.jpg, in one folder or in one for each split. Reads names, no image."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from adapt_core.config.core_params import DataParams
from adapt_core.errors import DataError, InputError
from adapt_core.hf.data.source import BUILDERS, SPLIT_NAMES, local_root

from adapt_vision_mm.images.reading import SUFFIXES

log = logging.getLogger(__name__)

_KEYS = {"train": "TRAIN_DIR", "validation": "VAL_DIR", "test": "TEST_DIR"}


def split_folders(data: DataParams) -> Mapping[str, Path] | None:
    """The folder of each split, whose subfolders are the classes; None where the data is no folder of that kind.

    TRAIN_DIR, VAL_DIR and TEST_DIR name them (inside CUSTOM_DATASET_PATH, or from anywhere). Else CUSTOM_DATASET_PATH
    holds folders named train, val (valid, validation, dev), test; else it is the training split itself.

    Raises:
        InputError: a path that is not there, or a folder without any class folder.
    """
    root = local_root(data)
    named = {"train": data.train_dir, "validation": data.val_dir, "test": data.test_dir}
    explicit = {split: _explicit(split, place, root) for split, place in named.items() if place}
    found = dict(explicit)
    if root is not None and root.is_dir() and "train" not in explicit:
        found = {**_within(root), **explicit}
    folders = {split: path for split, path in found.items() if path.is_dir() and not _holds_tables(path)}
    if not folders or len(folders) < len(found) or (root is not None and _is_table(root) and not explicit):
        return None
    for split, folder in folders.items():
        _require_classes(folder, split)
    return folders


def _explicit(split: str, place: str, root: Path | None) -> Path:
    path = Path(place).expanduser()
    inside = root / path if root is not None and not path.is_absolute() else path
    path = inside if inside.exists() else path
    if not path.exists():
        raise InputError(f"{_KEYS[split]}: {place} does not exist (looked for it at {inside.absolute()}).")
    return path


def _within(root: Path) -> dict[str, Path]:
    if _is_table(root):
        return {}
    folders = {path.name.casefold(): path for path in sorted(root.iterdir()) if path.is_dir()}
    named = {split: folders[name] for split, names in SPLIT_NAMES.items() for name in names if name in folders}
    splits = {split: path for split, path in named.items() if any(child.is_dir() for child in path.iterdir())}
    if "train" in named and len(named) > 1:
        # Beside another split it is no class that is called train; without classes inside it is refused.
        splits.setdefault("train", named["train"])
    return splits if "train" in splits or ("validation" in splits and len(folders) == 1) else {"train": root}


def _is_table(root: Path) -> bool:
    return root.is_file() or any((root / name).is_file() for name in ("dataset_dict.json", "state.json"))


def _holds_tables(folder: Path) -> bool:
    tables = set(BUILDERS) - {".txt"}
    if any(path.suffix.casefold() in tables for path in folder.iterdir() if path.is_file()):
        return True
    inside = (folder / name for names in SPLIT_NAMES.values() for name in names)
    return any(path.suffix.casefold() in tables for place in inside if place.is_dir() for path in place.iterdir())


def _require_classes(folder: Path, split: str) -> None:
    if class_folders(folder):
        return
    what = (
        "images, but no folder for each class around them"
        if _loose(folder)
        else "no class folders, data files or images"
    )
    raise InputError(f"{folder} ({split}) holds {what}. Expected: {folder.name}/CLASS/*.jpg")


def _loose(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.casefold() in SUFFIXES and path.is_file())


def say_loose(data: DataParams, folders: Mapping[str, Path]) -> None:
    """Warns of images beside the class folders, or beside the folders of the splits: they belong to no class.

    Args:
        data: for the folder of the data set.
        folders: what `split_folders` found.
    """
    root = local_root(data)
    for folder in dict.fromkeys([*([root] if root is not None and root.is_dir() else []), *folders.values()]):
        found = _loose(folder)
        if found:
            more = ", ..." if len(found) > 1 else ""
            log.warning(
                "%s: %d images stand in no class folder and are left out (%s%s)",
                folder,
                len(found),
                found[0].name,
                more,
            )


def class_folders(folder: Path) -> dict[str, Path]:
    """Class name -> its folder, in alphabetical order; hidden folders are passed over."""
    return {path.name: path for path in sorted(folder.iterdir()) if path.is_dir() and not path.name.startswith(".")}


def images_of(folder: Path, *, skip_empty: bool) -> Iterator[tuple[Path, str]]:
    """The images of one split with their class, class by class, each class's in alphabetical order.

    Args:
        folder: of the split.
        skip_empty: leave out a class whose folder holds no image, instead of stopping (SKIP_BAD_ROWS).

    Raises:
        DataError: a class folder holds no image.
    """
    for name, place in class_folders(folder).items():
        images, others = images_under(place)
        if others:
            log.info("%s: %d files that are no images are passed over (%s, ...)", place, len(others), others[0].name)
        if not images:
            message = f"the class folder {place} holds no image ({', '.join(sorted(SUFFIXES))})"
            if not skip_empty:
                raise DataError(f"{message}. Remove it or fill it, or --set SKIP_BAD_ROWS=true to leave the class out.")
            log.warning("%s: the class is left out.", message)
        for image in images:
            yield image, name


def images_under(folder: Path) -> tuple[list[Path], list[Path]]:
    """The images and the other files in a folder and all folders inside it (links followed once), sorted."""
    images: list[Path] = []
    others: list[Path] = []
    seen: set[str] = set()
    for place, inner, names in os.walk(folder, followlinks=True):
        seen.add(os.path.realpath(place))
        inner[:] = [name for name in inner if os.path.realpath(os.path.join(place, name)) not in seen]
        for name in names:
            if not name.startswith("."):
                path = Path(place, name)
                (images if path.suffix.casefold() in SUFFIXES else others).append(path)
    return sorted(images), sorted(others)
