"""Where a YOLO data set has its images, labels and class names: `data.yaml`, lists of images, or folders alone.

As Ultralytics writes and reads it (https://docs.ultralytics.com/datasets/detect/), with Roboflow's paths
(`../train/images` in a file beside `train/`), and CVAT's and darknet's lists (`train.txt`, `obj.names`, labels beside
the images).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import attrs

from adapt_core.config.reader import plain, read_file
from adapt_core.contracts.format import Place
from adapt_core.errors import ConfigError, DataError

from adapt_vision_mm.annotations.image_files import find_image
from adapt_vision_mm.annotations.sources import DATA_YAML, split_of
from adapt_vision_mm.images.folders import find_images

log = logging.getLogger(__name__)

NAME_FILES = ("classes.txt", "obj.names", "data/obj.names", "labels.txt")
"""Files of class names, one on each line."""

_BESIDE = "obj_train_data"
"""CVAT's folder of images with their labels beside them."""

_KEYS = {"train": ("train",), "val": ("val", "valid", "validation"), "test": ("test",)}
_LINE = re.compile(r"\d+(\s+-?\d*\.?\d+([eE]-?\d+)?){4,}\s*")
_LOOKED_AT = 20
"""Files of a folder that are opened to see what they are."""


@attrs.frozen(kw_only=True)
class Keypoints:
    """The keypoints of a data set for poses.

    Attributes:
        names: `kpt_names` of the first class, or point_0, point_1, ...
        numbers: of each in a label: 2, or 3 with its visibility.
        pairs: those that change places in a mirrored image, by `flip_idx`.
    """

    names: tuple[str, ...]
    numbers: int
    pairs: tuple[tuple[int, int], ...]


@attrs.frozen(kw_only=True)
class Layout:
    """A YOLO data set.

    Attributes:
        root: CUSTOM_DATASET_PATH.
        file: `data.yaml`, or the file of class names, for messages; None where there is neither.
        base: the folder that the paths in `data.yaml` start from.
        names: class number -> name.
        places: split -> folders and lists of images as they are written.
        keypoints: of poses; None where there are none.
        listed: a split and the list of its images that a key names.
    """

    root: Path
    file: Path | None
    base: Path
    names: Mapping[int, str]
    places: Mapping[str, Sequence[str]]
    keypoints: Keypoints | None = None
    listed: tuple[str, Path] | None = None

    def images(self, split: str, folder: Path | None) -> list[Path] | None:
        """Return the images of a split in their order, some of which may not exist; None where it has no place.

        Args:
            split: "train", "val" or "test".
            folder: TRAIN_DIR, VAL_DIR or TEST_DIR, which stands over everything else.
        """
        if folder is not None:
            return find_images(folder).images
        if self.listed is not None and self.listed[0] == split:
            found = [self.listed[1]]
        elif self.places:
            written = [(place, self._resolved(place)) for place in self.places.get(split, ())]
            missing = next((place for place, found in written if found is None), None)
            if missing is not None and split != "test":
                raise DataError(f"{self.file}: {split}: {missing} does not exist. Correct the path, or leave it out.")
            # Roboflow names a test split where there is none.
            found = [found for _, found in written if found is not None]
        else:
            found = list(islice(self._usual_places(split), 1))
        images = [image for place in found for image in self._listed(place)]
        return images or None

    def _resolved(self, written: str) -> Path | None:
        """Return the place that a path in `data.yaml` means, or None; Roboflow's lead one folder too far up."""
        bare = written.replace("\\", "/").removeprefix("./")
        here = self.file.parent if self.file is not None else self.root
        candidates = [self.base / bare, here / bare, here / re.sub(r"^(\.\./)+", "", bare)]
        found = next((place for place in candidates if place.exists()), None)
        if found is None:
            return None
        if not found.resolve().is_relative_to(self.root.resolve()):
            log.warning("%s names %s, which is outside of CUSTOM_DATASET_PATH", self.file, found)
        return found

    def _usual_places(self, split: str) -> Iterator[Path]:
        for name in _KEYS[split]:
            places = (
                self.root / "images" / name,
                self.root / name / "images",
                self.root / f"{name}.txt",
                self.root / name,
            )
            yield from (place for place in places if place.exists())
        if split == "train":
            yield from (place for name in ("images", _BESIDE) if (place := self.root / name).is_dir())
            yield self.root  # labelImg has images, labels and classes.txt in one folder

    def _listed(self, place: Path) -> Iterator[Path]:
        if place == self.root:
            yield from (image for image in find_images(place).images if image.parent == place)
        elif place.is_dir():
            yield from find_images(place).images
        elif place.is_file():
            yield from (image_of(line, place, self.root) for line in read_lines(place))


def read_lines(file: Path) -> dict[str, list[int]]:
    """Return the different lines of a text file that are not blank, each with its numbers from 1.

    Raises:
        DataError: it cannot be read.
    """
    try:
        lines = file.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{file} cannot be read: {error}. Write it as UTF-8 text.") from None
    found: dict[str, list[int]] = {}
    for number, line in enumerate(lines, start=1):
        if line.strip():
            found.setdefault(line.strip(), []).append(number)
    return found


def image_of(line: str, file: Path, root: Path) -> Path:
    """Return the image of a line of a list: relative to the list, or to the data set, also with a folder before."""
    bare = Path(line.replace("\\", "/").removeprefix("./"))
    candidates = [file.parent / bare, root / bare, root.joinpath(*bare.parts[1:])]
    return next((path for path in candidates if path.is_file()), candidates[0])


def lists_labelled(file: Path, root: Path) -> bool:
    """Return whether the first lines of a list are images, one of which has a file of labels."""
    images = [image_of(line, file, root) for line in islice(_beginning(file).splitlines(), _LOOKED_AT) if line.strip()]
    return bool(images) and images[0].is_file() and any(label_file(image).is_file() for image in images)


def label_file(image: Path) -> Path:
    """Return the label file of an image: in `labels/` where the image is in `images/`, else beside it."""
    parts = list(image.parts)
    if "images" in parts[:-1]:
        place = len(parts) - 2 - parts[-2::-1].index("images")
        there = Path(*parts[:place], "labels", *parts[place + 1 :]).with_suffix(".txt")
        if there.is_file() or not image.with_suffix(".txt").is_file():
            return there
    return image.with_suffix(".txt")


def is_data_yaml(path: Path) -> bool:
    """Return whether a YAML file has class names and places, by its beginning."""
    text = _beginning(path)
    return all(re.search(rf"^{key}\s*:", text, re.MULTILINE) for key in ("names", "(train|val|nc|path)"))


def find_data_yaml(place: Place) -> Path | None:
    """Return the `data.yaml` of a data set: the file that a key names, or the first in it that looks like one."""
    if place.named is not None and place.named.endswith(DATA_YAML):
        return next((path for path in place.files if path.suffix.casefold() in DATA_YAML), place.root / place.named)
    return next((path for path in islice(sorted(place.root.glob("*.y*ml")), _LOOKED_AT) if is_data_yaml(path)), None)


def find_label(root: Path) -> Path | None:
    """Return a file of labels in a folder, or None: in `labels/`, or beside its image."""
    for pattern in ("labels/*.txt", "labels/*/*.txt", "*/labels/*.txt", "*.txt", "*/*.txt"):
        for path in islice(sorted(root.glob(pattern)), _LOOKED_AT):
            if "labels" not in pattern and find_image(path.parent, path.stem) is None:
                continue
            lines = [line for line in _beginning(path).splitlines()[:3] if line.strip()]
            if lines and all(map(_LINE.fullmatch, lines)):
                return path
    return None


def _beginning(path: Path) -> str:
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return file.read(4096).decode("utf-8", "replace")


def read_layout(place: Place) -> Layout:
    """Return the layout of the data set of a split.

    Raises:
        DataError: `data.yaml` cannot be read or says something that has no meaning there, or there are no class names.
    """
    root, file = place.root, find_data_yaml(place)
    own = next((path for path in place.files if path.suffix.casefold() == ".txt" and place.named is not None), None)
    listed = None if own is None else (split_of(place), own)
    if file is None:
        names = next((root / name for name in NAME_FILES if (root / name).is_file()), None)
        if names is None:
            raise DataError(
                f"{root}: YOLO's labels have numbers for classes, and no file names them. Write data.yaml with names: "
                f"[...], or {NAME_FILES[0]} with a name on each line."
            )
        named = _names(_listed_names(names), names)
        return Layout(root=root, file=names, base=root, names=named, places={}, listed=listed)
    if not file.is_file():
        raise DataError(f"{file} does not exist. Correct the key that names it, or leave it out.")
    try:
        entries = read_file(file)
    except ConfigError as error:
        raise DataError(f"{file} cannot be read as YOLO's data.yaml: {error} Correct it.") from None
    found = {entry.key: plain(entry.value) for entry in entries}
    places = {split: _places(found, keys, file) for split, keys in _KEYS.items()}
    given = Path(str(found.get("path") or ".")).expanduser()
    base = file.parent / given
    return Layout(
        root=root,
        file=file,
        base=base if base.is_dir() else file.parent,
        names=_names(found.get("names"), file),
        places={split: written for split, written in places.items() if written},
        keypoints=_keypoints(found, file),
        listed=listed,
    )


def _places(found: Mapping[str, Any], keys: Sequence[str], file: Path) -> list[str]:
    written = next((found[key] for key in keys if found.get(key)), None)
    listed = written if isinstance(written, list) else [] if written is None else [written]
    wrong = next((place for place in listed if not isinstance(place, str)), None)
    if wrong is not None:
        raise DataError(f"{file}: {keys[0]}: {wrong!r} is not a path. Give a folder, a list file, or a list of these.")
    return listed


def _listed_names(file: Path) -> list[str]:
    """Return the names in a file, those too that stand in it twice."""
    return [name for _, name in sorted((line, name) for name, lines in read_lines(file).items() for line in lines)]


def _names(given: object, file: Path) -> dict[int, str]:
    numbered = dict(enumerate(given)) if isinstance(given, list) else given
    if not isinstance(numbered, Mapping) or not numbered:
        raise DataError(f"{file}: names is {given!r}. Give a list of class names, or a mapping of numbers to names.")
    names: dict[int, str] = {}
    for number, name in numbered.items():
        if not str(number).isdecimal() or isinstance(name, Mapping | list) or name is None or not str(name).strip():
            raise DataError(f"{file}: names: {number!r}: {name!r} is no class number with its name. Correct it.")
        if str(name).strip() in names.values():
            raise DataError(f"{file}: names has {str(name)!r} twice. Give each class its own name.")
        names[int(number)] = str(name).strip()
    return dict(sorted(names.items()))


def _keypoints(found: Mapping[str, Any], file: Path) -> Keypoints | None:
    shape = found.get("kpt_shape")
    if shape is None:
        return None
    is_shape = isinstance(shape, list) and len(shape) == 2 and all(type(side) is int for side in shape)
    if not is_shape or shape[0] < 1 or shape[1] not in (2, 3):
        raise DataError(f"{file}: kpt_shape is {shape!r}. Give [number of keypoints, 2 or 3].")
    count = shape[0]
    given = found.get("kpt_names")
    first = next(iter(given.values()), None) if isinstance(given, Mapping) else given
    if first is not None and (not isinstance(first, list) or len(set(map(str, first))) != count):
        raise DataError(f"{file}: kpt_names does not have {count} different names. Correct it, or leave it out.")
    flips = found.get("flip_idx") or list(range(count))
    if not isinstance(flips, list) or any(type(one) is not int for one in flips) or sorted(flips) != [*range(count)]:
        raise DataError(f"{file}: flip_idx is {flips!r}. Give each number from 0 to {count - 1} once.")
    names = tuple(map(str, first)) if first else tuple(f"point_{number}" for number in range(count))
    pairs = tuple((number, other) for number, other in enumerate(flips) if number < other)
    return Keypoints(names=names, numbers=shape[1], pairs=pairs)
