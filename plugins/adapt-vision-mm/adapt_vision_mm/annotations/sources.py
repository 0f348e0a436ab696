"""The files that a config names for a split.

An annotation file is searched for in CUSTOM_DATASET_PATH/TRAIN_DIR (as nyuntam_adapt, the previous tool, did), then in
CUSTOM_DATASET_PATH and in its folders `annotations`, `splits` and VOC's `ImageSets/Segmentation`. An absolute path is
taken as it is. Where the config names none and the task's default does not exist, the file that COCO
(`annotations/instances_train2017.json`) or Roboflow (`train/_annotations.coco.json`) would write is read, or
`train.json`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from adapt_core.config.data_places import one_path, require_one_place
from adapt_core.contracts.format import Place
from adapt_core.contracts.recognition import Recognised
from adapt_core.errors import InputError

from adapt_vision_mm.annotations.coco_images import find_image_folder, holds_first_image
from adapt_vision_mm.annotations.standard_files import SplitName, doubt_about, find_standard
from adapt_vision_mm.images.folders import find_images

if TYPE_CHECKING:
    from adapt_core.config.plan import Plan

    from adapt_vision_mm.annotations.annotated_split import AnnotatedSplit
    from adapt_vision_mm.mm_params import MmParams

log = logging.getLogger(__name__)

_SPLITS: Mapping[str, SplitName] = {"train": "train", "validation": "val", "test": "test"}
"""The splits as formats name them -> as this package does."""

PLACE_NAMES: Mapping[str, str] = {own: name for name, own in _SPLITS.items()}
"""The splits as this package names them -> as formats and the rest of adapt do."""

DATA_YAML = (".yaml", ".yml")
"""Suffixes of files that name the places of several splits."""

_TABLES = (".jsonl", ".parquet")
_ROWS = (
    "This task does not train on rows in memory or in a table: write images and an annotation file into a folder, and "
    "set CUSTOM_DATASET_PATH to it."
)


class SplitNotFoundError(InputError):
    """The annotations of a split do not exist."""


class UnannotatedSplitError(InputError):
    """A split's file lists images, and none of them has an annotation.

    Attributes:
        source: the file.
        images: those it lists, by their id: the file's own, or the image's number from 1.
    """

    def __init__(self, source: Path, images: Mapping[int, Path]) -> None:
        super().__init__(f"{source}: no image has an annotation. Add them, or name another file.")
        self.source = source
        self.images = dict(images)


def split_of(place: Place) -> SplitName:
    """Return the split of a place as this package calls it."""
    return _SPLITS[place.split]


def place_of_split(train: Place, split: str) -> Place:
    """Return the place of another split of a data set, of which nothing is named.

    Args:
        train: that of the training split.
        split: "train", "val" or "test".
    """
    return Place(split=PLACE_NAMES[split], root=train.root)


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
        given: whether the config names the annotation file.
        like: the format and place of the training split, for the other splits.
        keypoints: class -> its keypoints in the training split, for the other splits.
        others: the other files of the split, where the config names several.
    """

    split: SplitName
    root: Path
    image_folder: Path | None
    name: str
    searched: tuple[Path, ...]
    file: Path | None
    given: bool = True
    like: Recognised | None = None
    keypoints: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)
    others: tuple[SplitSource, ...] = ()

    @classmethod
    def of(cls, place: Place) -> SplitSource:
        """Return a place of the contract of formats as the files of a split."""
        file = place.files[0] if place.files else None
        name = place.named or (file.name if file is not None else f"{place.split}.json")
        return cls(
            split=split_of(place),
            root=place.root,
            image_folder=place.folder,
            name=name,
            searched=(place.root / name,),
            file=file,
            given=place.named is not None,
            others=tuple(cls.of(attrs.evolve(place, files=(other,))) for other in place.files[1:]),
        )

    @property
    def place(self) -> Place:
        """The split as formats are asked about it."""
        return Place(
            split=PLACE_NAMES[self.split],
            root=self.root,
            files=tuple(one.file for one in (self, *self.others) if one.file is not None),
            named=self.name if self.given else None,
            folder=self.image_folder,
        )

    def require_file(self) -> Path:
        """Return the annotation file.

        Raises:
            SplitNotFoundError: there is none.
        """
        if self.file is None:
            raise self.not_found()
        return self.file

    def json_files(self) -> list[str]:
        """Return the JSON files in the root and its folders, relative to the root."""
        found = [*self.root.glob("*.json"), *self.root.glob("*/*.json")]
        return sorted(str(path.relative_to(self.root)) for path in found)

    def not_found(self) -> SplitNotFoundError:
        """Return the error of an annotation file that does not exist: where it was searched for, and what is there."""
        found, key = self.json_files(), f"{self.split}_ann_file"
        return SplitNotFoundError(
            "\n".join(
                [
                    f"{key}: {self.name} was not found" + ("" if self.given else " (the default)") + ". Looked for:",
                    *(f"  {path}" for path in self.searched),
                    *([f"JSON files there: {', '.join(found[:5])}"] if found else []),
                    f"Set {key} to the annotation file of the split.",
                    *([_ROWS] if any((self.root / f"train{suffix}").is_file() for suffix in _TABLES) else []),
                ]
            )
        )


def dataset_root(plan: Plan[MmParams]) -> Path:
    """Return CUSTOM_DATASET_PATH.

    Raises:
        InputError: it is not set, or is not a directory.
    """
    require_one_place(plan.data)
    if plan.data.folds is not None:
        raise InputError(f"FOLDS: {plan.task.name} does not make folds of annotated images. Leave FOLDS out.")
    given = one_path(plan.data)
    if given is None:
        raise InputError(
            f"{plan.task.name} reads files: set CUSTOM_DATASET_PATH to the folder of images and annotations."
        )
    root = Path(given).expanduser().absolute()
    if not root.is_dir():
        raise InputError(f"CUSTOM_DATASET_PATH: {root} is not a directory. Correct the path.")
    return root


def find_source(plan: Plan[MmParams], split: SplitName) -> SplitSource | None:
    """Return the source of a split, or None for a test split that neither the config nor a standard name has.

    Raises:
        InputError: a folder that the config names does not exist.
    """
    root, params = dataset_root(plan), plan.task.params
    named = {"train": params.train_ann_file, "val": params.val_ann_file, "test": params.test_ann_file}[split]
    folder = {"train": plan.data.train_dir, "val": plan.data.val_dir, "test": plan.data.test_dir}[split]
    images = _image_folder(root, folder, split)
    given = named != _default_name(params, split)
    keypoints = plan.task.name == "pose_detection"
    if split == "test" and not (named or folder):
        # Nobody has named it: it is scored where it belongs to a training split that is found by its standard name.
        trained = params.train_ann_file != _default_name(params, "train")
        if trained or (file := find_standard(root, None, split, keypoints=keypoints)) is None:
            return None
        _log_standard(split, file, None)
        return SplitSource(
            split=split, root=root, image_folder=None, name=file.name, searched=(file,), file=file, given=False
        )
    names = [named] if isinstance(named, str) else named or [f"{split}.json"]
    first, *others = (_find_named(root, images, name, split, given=given) for name in names)
    source = attrs.evolve(first, others=tuple(others))
    doubt = None if given or source.file is None else doubt_about(source.file, split, params)
    if given or (source.file is not None and doubt is None):
        return source
    standard = find_standard(root, images, split, keypoints=keypoints)
    if standard is None or (doubt is not None and not _has_images(source, standard)):
        return source
    _log_standard(split, standard, doubt)
    return attrs.evolve(source, file=standard)


def _find_named(root: Path, images: Path | None, name: str, split: SplitName, *, given: bool) -> SplitSource:
    searched = (root / name,) if Path(name).is_absolute() else _candidates(root, images, name)
    return SplitSource(
        split=split,
        root=root,
        image_folder=images,
        name=name,
        searched=searched,
        file=next((path for path in searched if path.is_file()), None),
        given=given,
    )


def find_test_folder(plan: Plan[MmParams], others: Iterable[AnnotatedSplit]) -> Path | None:
    """Return the folder of the test split's images where it has no annotations: TEST_DIR, or one of a standard name.

    Args:
        plan: of the run.
        others: the other splits; a folder of a standard name that has images of theirs is no test split.

    Raises:
        InputError: TEST_DIR does not exist.
    """
    root = dataset_root(plan)
    named = _image_folder(root, plan.data.test_dir, "test")
    if named is not None:
        return named
    places = [root / above / f"test{year}" for above in ("", "images") for year in ("", "2017", "2014")]
    places = [place for place in places if place.is_dir() and find_images(place).images]
    if places:
        folders = {image.path.parent for split in others for image in split.images}
        used = folders.union(*(folder.parents for folder in folders))
        places = [place for place in places if place not in used]
    return next(iter(places), None)


def _default_name(params: MmParams, split: SplitName) -> object:
    return attrs.fields_dict(type(params))[f"{split}_ann_file"].default


def _has_images(source: SplitSource, file: Path) -> bool:
    """Return whether the first image of another file exists: who has one split's images may have both files."""
    if source.image_folder is not None:
        return holds_first_image(source.image_folder, file)
    return find_image_folder(source.root, source.split, file) is not None


def _log_standard(split: SplitName, file: Path, doubt: str | None) -> None:
    log.info("%s: %s is read", f"{split}_ann_file is not set" if doubt is None else doubt, file)


def _image_folder(root: Path, given: str | None, split: SplitName) -> Path | None:
    if given is None:
        return None
    folder = root / Path(given).expanduser()
    if not folder.is_dir():
        raise InputError(f"{split.upper()}_DIR: {folder} is not a directory. Correct the path.")
    return folder


def _candidates(root: Path, folder: Path | None, name: str) -> tuple[Path, ...]:
    nearby = [root / place / name for place in ("", "annotations", "splits", "ImageSets/Segmentation")]
    return tuple(dict.fromkeys([*([folder / name] if folder else []), *nearby]))
