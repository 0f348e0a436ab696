"""The files that a config names for a split.

An annotation file is searched for in CUSTOM_DATASET_PATH/TRAIN_DIR (as nyuntam_adapt, the previous tool, did), then in
CUSTOM_DATASET_PATH and in its folders `annotations` and `splits`. An absolute path is taken as it is.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import attrs

from adapt_core.errors import InputError

if TYPE_CHECKING:
    from adapt_core.config.plan import Plan

    from adapt_vision_mm.mm_params import MmParams

SplitName = Literal["train", "val", "test"]


class SplitNotFoundError(InputError):
    """The annotations of a split do not exist."""


@attrs.frozen(kw_only=True)
class SplitSource:
    """What a config names for one split.

    Attributes:
        split: "train", "val" or "test".
        root: CUSTOM_DATASET_PATH.
        image_folder: TRAIN_DIR, VAL_DIR or TEST_DIR, or None where it is not set.
        name: the annotation file as given, or SPLIT.json.
        searched: where the annotation file was searched for.
        file: the annotation file, or None where none was found.
    """

    split: SplitName
    root: Path
    image_folder: Path | None
    name: str
    searched: tuple[Path, ...]
    file: Path | None

    def not_found(self) -> SplitNotFoundError:
        """Return the error of an annotation file that does not exist: where it was searched for, and what is there."""
        found = sorted(
            str(path.relative_to(self.root)) for path in [*self.root.glob("*.json"), *self.root.glob("*/*.json")]
        )
        return SplitNotFoundError(
            "\n".join(
                [
                    f"{self.split}_ann_file: {self.name} was not found. Looked for:",
                    *(f"  {path}" for path in self.searched),
                    *([f"JSON files there: {', '.join(found[:5])}"] if found else []),
                ]
            )
        )


def dataset_root(plan: Plan[MmParams]) -> Path:
    """Return CUSTOM_DATASET_PATH.

    Raises:
        InputError: it is not set, or is not a directory.
    """
    given = plan.data.custom_dataset_path
    if given is None:
        raise InputError(
            f"{plan.task.name} reads files: set CUSTOM_DATASET_PATH to the folder of images and annotations."
        )
    root = Path(given).expanduser().absolute()
    if not root.is_dir():
        raise InputError(f"CUSTOM_DATASET_PATH: {root} is not a directory.")
    return root


def find_source(plan: Plan[MmParams], split: SplitName) -> SplitSource | None:
    """Return the source of a split, or None for a test split that the config does not name.

    Raises:
        InputError: a folder that the config names does not exist.
    """
    root = dataset_root(plan)
    file = {
        "train": plan.task.params.train_ann_file,
        "val": plan.task.params.val_ann_file,
        "test": plan.task.params.test_ann_file,
    }[split]
    folder = {"train": plan.data.train_dir, "val": plan.data.val_dir, "test": plan.data.test_dir}[split]
    if split == "test" and not (file or folder):
        return None
    images = _image_folder(root, folder, split)
    name = file or f"{split}.json"
    searched = (root / name,) if Path(name).is_absolute() else _candidates(root, images, name)
    return SplitSource(
        split=split,
        root=root,
        image_folder=images,
        name=name,
        searched=searched,
        file=next((path for path in searched if path.is_file()), None),
    )


def _image_folder(root: Path, given: str | None, split: SplitName) -> Path | None:
    if given is None:
        return None
    folder = root / Path(given).expanduser()
    if not folder.is_dir():
        raise InputError(f"{split.upper()}_DIR: {folder} is not a directory.")
    return folder


def _candidates(root: Path, folder: Path | None, name: str) -> tuple[Path, ...]:
    nearby = [root / name, root / "annotations" / name, root / "splits" / name]
    return tuple(dict.fromkeys([*([folder / name] if folder else []), *nearby]))
