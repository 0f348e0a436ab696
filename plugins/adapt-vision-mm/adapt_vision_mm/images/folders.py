"""Class folders: CLASS/*.jpg, in one folder or in one per split. Reads file names, no images."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Set
from pathlib import Path

import attrs

from adapt_core.config.core_params.data import DataParams
from adapt_core.errors import DataError, InputError
from adapt_core.hf.data.formats import table_formats
from adapt_core.hf.data.source import local_root
from adapt_core.hf.data.split_names import SPLIT_NAMES
from adapt_core.run_folder.names import holds_runs, is_run_folder
from adapt_core.runtime.plain_text import has_surrogates

from adapt_vision_mm.images.decoder import SUFFIXES

log = logging.getLogger(__name__)

_SYSTEM_FOLDERS = frozenset(
    (
        *("@eadir", "@__thumb", "@tmp", "@recycle", "@recently-snapshot", "#recycle", "#snapshot"),  # storage devices
        *("__macosx", "$recycle.bin", "system volume information", "lost+found", "__pycache__"),
    )
)
"""Case-folded names of folders that systems, not users, put next to files; hidden ones begin with a dot."""

IMAGE_LISTS = (".txt", ".jsonl")
"""Suffixes of files that name images."""

_KEYS = {"train": "TRAIN_DIR", "validation": "VAL_DIR", "test": "TEST_DIR"}


def find_split_folders(data: DataParams) -> Mapping[str, Path] | None:
    """Return the folder of each split, whose subfolders are the classes; None if the data has no such folders.

    TRAIN_DIR, VAL_DIR and TEST_DIR name them (inside CUSTOM_DATASET_PATH, or anywhere). Otherwise CUSTOM_DATASET_PATH
    contains folders named train, val (valid, validation, dev) and test, or is the training split itself. Of a split
    that no key names, the folder of its name beside that of TRAIN_DIR is taken. A test split without classes is left
    out, see `find_unlabelled_test`.

    Raises:
        InputError: a path does not exist, or a folder contains no class folder.
    """
    root = local_root(data)
    named = {"train": data.train_dir, "validation": data.val_dir, "test": data.test_dir}
    explicit = {split: _explicit(split, given, root) for split, given in named.items() if given}
    beside = _beside_training(data, root, explicit)
    if "test" in explicit and _is_unlabelled(explicit["test"]):
        del explicit["test"]
    found = {**beside, **explicit}
    if root is not None and root.is_dir() and "train" not in explicit:
        found = {**_within(root), **explicit}
    folders = {split: path for split, path in found.items() if path.is_dir() and not _holds_tables(path)}
    if not folders or len(folders) < len(found) or (root is not None and _is_table(root) and not explicit):
        return None
    for split, folder in folders.items():
        _require_classes(folder, split)
    return folders


def find_unlabelled_test(data: DataParams) -> Path | None:
    """Return the test split that `find_split_folders` leaves out: a folder of images, or a list of them (.txt, .jsonl).

    It is TEST_DIR, or the folder named test (testing) beside that of the training split.
    """
    root = local_root(data)
    if data.test_dir:
        places = [_explicit("test", data.test_dir, root)]
    else:
        around = _around_training(data, root)
        inside = _within_names(around) if around is not None else {}
        places = [inside[name] for name in SPLIT_NAMES["test"] if name in inside]
    return next(filter(_is_unlabelled, places), None)


def _beside_training(data: DataParams, root: Path | None, named: Mapping[str, Path]) -> dict[str, Path]:
    """Return the class folders of the splits that no key names, where TRAIN_DIR does.

    They have no other classes than the training folder. A folder that holds another split, or lies in one, is none of
    its own.
    """
    around = _around_training(data, root) if "train" in named else None
    if around is None or not named["train"].is_dir():
        return {}
    used, classes = [path.resolve() for path in named.values()], list_class_folders(named["train"]).keys()
    return {
        split: path
        for split, path in _first_with_classes(_within_names(around), classes).items()
        if split not in named
        and not any(path.resolve().is_relative_to(other) or other.is_relative_to(path.resolve()) for other in used)
    }


def _first_with_classes(folders: Mapping[str, Path], among: Set[str] | None = None) -> dict[str, Path]:
    """Return for each split the first folder of one of its names that has class folders, all of them `among` these."""
    found: dict[str, Path] = {}
    for split, names in SPLIT_NAMES.items():
        for name in names:
            classes = list_class_folders(folders[name]).keys() if name in folders else set()
            if classes and (among is None or (classes <= among and not _holds_tables(folders[name]))):
                found.setdefault(split, folders[name])
    return found


def _around_training(data: DataParams, root: Path | None) -> Path | None:
    """Return the folder whose folders are the splits: it holds that of the training split.

    A TRAIN_DIR of another name than train shows so in CUSTOM_DATASET_PATH only; elsewhere, anything may lie beside it.
    """
    if data.train_dir:
        train = _explicit("train", data.train_dir, root)
        is_root = root is not None and train.parent.resolve() == root.resolve()
        return train.parent if is_root or train.name.casefold() in SPLIT_NAMES["train"] else None
    is_split = root is not None and root.is_dir() and not _within_names(root).keys().isdisjoint(SPLIT_NAMES["train"])
    return root if is_split else None


def _is_unlabelled(place: Path) -> bool:
    if place.is_file():
        return place.suffix.casefold() in IMAGE_LISTS
    return not list_class_folders(place) and bool(_images_in(place))


def _explicit(split: str, given: str, root: Path | None) -> Path:
    path = Path(given).expanduser()
    inside = root / path if root is not None and not path.is_absolute() else path
    path = inside if inside.exists() else path
    if not path.exists():
        raise InputError(
            f"{_KEYS[split]}: {given} does not exist (looked for it at {inside.absolute()}). Correct the path."
        )
    return path


def _within(root: Path) -> dict[str, Path]:
    if _is_table(root):
        return {}
    folders = _within_names(root)
    named = {split: folders[name] for split, names in SPLIT_NAMES.items() for name in names if name in folders}
    splits = _first_with_classes(folders)
    if "train" in named and len(named) > 1:
        # Next to another split, train is a split and not a class; without class folders in it, it is refused.
        splits.setdefault("train", named["train"])
    return splits if "train" in splits or ("validation" in splits and len(folders) == 1) else {"train": root}


def _within_names(root: Path) -> dict[str, Path]:
    """Return the folders inside a folder by their names in lower case, without those of runs and of the system."""
    return {name.casefold(): path for name, path in list_class_folders(root).items()}


def _is_table(root: Path) -> bool:
    return root.is_file() or any((root / name).is_file() for name in ("dataset_dict.json", "state.json"))


def _holds_tables(folder: Path) -> bool:
    tables = {suffix for one in table_formats() for suffix in one.suffixes} - {".txt"}
    if any(path.suffix.casefold() in tables for path in folder.iterdir() if path.is_file()):
        return True
    inside = (folder / name for names in SPLIT_NAMES.values() for name in names)
    return any(path.suffix.casefold() in tables for place in inside if place.is_dir() for path in place.iterdir())


def _require_classes(folder: Path, split: str) -> None:
    if list_class_folders(folder):
        return
    what = "images, but no class folders" if _images_in(folder) else "no class folders, data files or images"
    raise InputError(f"{folder} ({split}) contains {what}. Expected: {folder.name}/CLASS/*.jpg")


def _images_in(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.casefold() in SUFFIXES and path.is_file() and not is_foreign(path.name)
    )


def warn_of_unlabelled(data: DataParams, folders: Mapping[str, Path]) -> None:
    """Warn about images next to the class folders or the split folders: they have no class.

    Args:
        data: for the folder of the dataset.
        folders: what `find_split_folders` returned.
    """
    root = local_root(data)
    for folder in dict.fromkeys([*([root] if root is not None and root.is_dir() else []), *folders.values()]):
        found = _images_in(folder)
        if found:
            more = ", ..." if len(found) > 1 else ""
            log.warning(
                "%s: %d images are in no class folder and are skipped (%s%s)",
                folder,
                len(found),
                found[0].name,
                more,
            )


def list_class_folders(folder: Path) -> dict[str, Path]:
    """Return class names and their folders, in alphabetical order, without those of runs and of the system."""
    folders = (path for path in sorted(folder.iterdir()) if path.is_dir() and not is_foreign(path.name))
    return {path.name: path for path in folders if not holds_runs(path)}


def is_foreign(name: str) -> bool:
    """Return whether a file or folder is hidden, or a folder of the system: it is no data."""
    return name.startswith(".") or name.casefold() in _SYSTEM_FOLDERS


def iterate_images(folder: Path, *, skip_empty: bool) -> Iterator[tuple[Path, str]]:
    """Yield the images of one split with their class: class by class, in alphabetical order.

    Args:
        folder: the split's.
        skip_empty: skip a class whose folder has no images, instead of raising (SKIP_BAD_ROWS).

    Raises:
        DataError: a class folder has no images.
    """
    for name, class_folder in list_class_folders(folder).items():
        found = find_images(class_folder)
        images = found.images
        if found.others:
            log.info(
                "%s: %d files that are not images are skipped (%s, ...)",
                class_folder,
                len(found.others),
                found.others[0].name,
            )
        if found.foreign:
            log.warning(
                "%s: %d images in hidden or system folders, or hidden themselves, are skipped (%s, ...)",
                class_folder,
                len(found.foreign),
                found.foreign[0].relative_to(class_folder),
            )
        if not images:
            message = f"the class folder {class_folder} has no images ({', '.join(sorted(SUFFIXES))})"
            if not skip_empty:
                raise DataError(f"{message}. Remove it, add images, or --set SKIP_BAD_ROWS=true to skip the class.")
            log.warning("%s: the class is skipped.", message)
        for image in images:
            _require_unicode(image)
            yield image, name


def _require_unicode(path: Path) -> None:
    """Refuse a name that is not UTF-8: neither a table of paths nor the names of classes can hold it."""
    if has_surrogates(str(path)):
        raise DataError(f"{path}: its name, or that of a folder above it, is not UTF-8. Rename it.")


@attrs.frozen(kw_only=True)
class FoundFiles:
    """The files under a folder, sorted.

    Attributes:
        images: those that count.
        others: those that are not images.
        foreign: images that are hidden, or in folders of the system.
    """

    images: list[Path]
    others: list[Path]
    foreign: list[Path]


def find_images(folder: Path) -> FoundFiles:
    """Return the files under a folder, without those of run folders. Links are followed once."""
    found = FoundFiles(images=[], others=[], foreign=[])
    seen: set[str] = set()
    for current, inner, names in os.walk(folder, followlinks=True):
        seen.add(os.path.realpath(current))
        inner[:] = [
            name
            for name in inner
            if os.path.realpath(os.path.join(current, name)) not in seen and not is_run_folder(Path(current, name))
        ]
        inside = any(map(is_foreign, Path(current).relative_to(folder).parts))
        for name in names:
            path = Path(current, name)
            is_image = path.suffix.casefold() in SUFFIXES
            if not (inside or is_foreign(name)):
                (found.images if is_image else found.others).append(path)
            elif is_image:
                found.foreign.append(path)
    return FoundFiles(images=sorted(found.images), others=sorted(found.others), foreign=sorted(found.foreign))
