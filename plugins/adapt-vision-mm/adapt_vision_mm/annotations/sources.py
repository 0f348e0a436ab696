"""Where a split's annotations and images lie.

Annotation files are looked for as given (absolute), then in CUSTOM_DATASET_PATH/TRAIN_DIR (where the tool before
looked), then relative to CUSTOM_DATASET_PATH, then in CUSTOM_DATASET_PATH/annotations.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs

from adapt_core.config.plan import Plan
from adapt_core.errors import InputError

from adapt_vision_mm.annotations.formats import pascal_voc


@attrs.frozen
class Split:
    """One split's place.

    Attributes:
        annotations: a JSON file (COCO), or a text file of image names, or None for every XML of a VOC folder.
        images: the folder of its images (for VOC: the folder that holds Annotations and JPEGImages).
    """

    annotations: Path | None
    images: Path


def root_of(plan: Plan) -> Path:
    """CUSTOM_DATASET_PATH.

    Raises:
        InputError: it is no folder.
    """
    given = plan.data.custom_dataset_path
    if given is None:
        raise InputError(
            f"{plan.task.name} reads files: set CUSTOM_DATASET_PATH to the folder of images and annotations."
        )
    root = Path(given).expanduser().absolute()
    if not root.is_dir():
        raise InputError(f"CUSTOM_DATASET_PATH: {root} is no folder.")
    return root


def find_split(plan: Plan, split: str) -> Split | None:
    """The place of "train", "val" or "test"; None where a test split was not asked for.

    Raises:
        InputError: a file or folder that was named is not there, with what was looked for.
    """
    root = root_of(plan)
    params: Any = plan.task.params
    given_file = getattr(params, f"{split}_ann_file")
    given_dir = getattr(plan.data, f"{split}_dir")
    if split == "test" and not (given_file or given_dir):
        return None
    folder = _folder(root, given_dir, split)
    name = given_file or f"{split}.json"
    looked_for = [root / name] if Path(name).is_absolute() else _candidates(root, folder, name)
    found = next((path for path in looked_for if path.is_file()), None)
    if is_voc(root) and (found is None or found.suffix != ".json"):
        return Split(_voc_names(root, None if name.endswith(".json") else name, split), root)
    if found is None:
        raise InputError(
            "\n".join(
                [
                    f"{split}_ann_file: {name} was not found. Looked for:",
                    *(f"  {path}" for path in looked_for),
                    *([f"JSON files there: {near}"] if (near := _json_files(root)) else []),
                ]
            )
        )
    return Split(found, folder or _images_beside(root, found, split))


def is_voc(root: Path) -> bool:
    """Whether a folder has the layout of Pascal VOC."""
    return (root / pascal_voc.ANNOTATIONS).is_dir() and (root / pascal_voc.IMAGES).is_dir()


def _folder(root: Path, given: str | None, split: str) -> Path | None:
    if given is None:
        return None
    folder = root / Path(given).expanduser()
    if not folder.is_dir():
        raise InputError(f"{split.upper()}_DIR: {folder} is no folder.")
    return folder


def _candidates(root: Path, folder: Path | None, name: str) -> list[Path]:
    nearby = [root / name, root / "annotations" / name, root / "splits" / name]
    return list(dict.fromkeys([*([folder / name] if folder else []), *nearby]))


def _json_files(root: Path) -> str:
    found = sorted(str(path.relative_to(root)) for path in [*root.glob("*.json"), *root.glob("*/*.json")])
    return ", ".join(found[:5])


def _images_beside(root: Path, annotations: Path, split: str) -> Path:
    """The images' folder where TRAIN_DIR or VAL_DIR does not say: the first that holds the first named image."""
    import json

    if annotations.suffix != ".json":
        return next((path for path in (root / split, root / "images") if path.is_dir()), root)
    try:
        name = str(json.loads(annotations.read_text(encoding="utf-8"))["images"][0]["file_name"])
    except (OSError, ValueError, KeyError, IndexError, TypeError):
        return root  # the reader of the file says what is wrong with it
    folders = [root / split, root / f"{split}2017", root / "images", root / "images" / split, annotations.parent, root]
    return next((folder for folder in folders if (folder / name).is_file()), folders[0])


def _voc_names(root: Path, given: str | None, split: str) -> Path | None:
    name = given or f"{split}.txt"
    candidates = [root / name, root / "ImageSets" / "Main" / name]
    found = next((path for path in candidates if path.is_file()), None)
    if found is None and given is not None:
        raise InputError(f"{split}_ann_file: {given} was not found in {root} nor in ImageSets/Main.")
    if found is None and split == "train":
        raise InputError(f"{root}: ImageSets/Main/train.txt (the names of the training images) is missing.")
    return found
