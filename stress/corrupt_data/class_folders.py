"""Corruptions of class folders."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from random import Random

from stress.corrupt_data.corruption import Corruption
from stress.corrupt_data.images import IMAGES, corrupt_one


def _empty_class(folder: Path, dice: Random) -> None:
    (folder / "train" / "wasps").mkdir()


def _class_without_training(folder: Path, dice: Random) -> None:
    (folder / "val" / "bees").rename(folder / "val" / "wasps")


def _one_class(folder: Path, dice: Random) -> None:
    for split in ("train", "val"):
        shutil.rmtree(folder / split / "bees")


def _no_classes(folder: Path, dice: Random) -> None:
    for file in list((folder / "train").rglob("*.jpg")):
        file.rename(folder / "train" / file.name)
    for name in ("ants", "bees"):
        (folder / "train" / name).rmdir()


def _folder_named_as_image(folder: Path, dice: Random) -> None:
    (folder / "train" / "ants" / "more.jpg").mkdir()


def _dangling_link(folder: Path, dice: Random) -> None:
    (folder / "train" / "ants" / "gone.jpg").symlink_to(folder / "nowhere.jpg")


def _link_in_a_circle(folder: Path, dice: Random) -> None:
    (folder / "train" / "ants" / "again").symlink_to(folder / "train")


def _odd_names(folder: Path, dice: Random) -> None:
    for file in list((folder / "train" / "ants").iterdir())[:3]:
        file.rename(file.parent / f"ü {dice.randrange(99)} #%.JPG")


def _no_train(folder: Path, dice: Random) -> None:
    shutil.rmtree(folder / "train")


def _empty_validation(folder: Path, dice: Random) -> None:
    for file in (folder / "val").rglob("*.jpg"):
        file.unlink()


def _two_names_of_case(folder: Path, dice: Random) -> None:
    shutil.copytree(folder / "train" / "ants", folder / "train" / "Ants")


_FOLDERS: list[tuple[Callable[[Path, Random], None], bool | None]] = [
    (_empty_class, None),
    (_class_without_training, False),
    (_one_class, False),
    (_no_classes, False),
    (_folder_named_as_image, None),
    (_dangling_link, False),
    (_link_in_a_circle, None),
    (_odd_names, True),
    (_no_train, None),
    (_empty_validation, None),
    (_two_names_of_case, None),
]


def corruptions() -> Iterator[Corruption]:
    """Yield every corruption of train/ and val/ with the classes ants and bees."""
    for split in ("train", "val"):
        for name, change, accepted in IMAGES:
            yield Corruption(f"{split}: {name}", partial(corrupt_one, change, f"{split}/*/*.jpg"), accepted)
    for change, accepted in _FOLDERS:
        yield Corruption(change.__name__.strip("_").replace("_", " "), change, accepted)
