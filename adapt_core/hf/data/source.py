"""Raw splits from DATASET or CUSTOM_DATASET_PATH. Errors have the file and line."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from adapt_core.config.core_params.data import PACKAGED_BUILDERS, DataParams
from adapt_core.config.data_places import data_places, one_path, require_one_place
from adapt_core.config.plan import FormatChoice, Plan
from adapt_core.contracts.recognition import Recognised
from adapt_core.errors import InputError, first_of
from adapt_core.hf.data.class_names import with_names_of_train
from adapt_core.hf.data.formats import FileKinds, recognise_splits
from adapt_core.hf.data.library_data import from_disk, from_hub
from adapt_core.hf.data.place_reader import joined_places, read_places
from adapt_core.hf.data.places import naming
from adapt_core.hf.data.split_names import SPLIT_NAMES, canonical_split
from adapt_core.hf.data.tables.other_formats import what_to_make_of
from adapt_core.hf.data.tables.read import read_splits
from adapt_core.hf.models.logging import quiet_data_library
from adapt_core.run_folder.names import is_run_folder

if TYPE_CHECKING:
    from datasets import Dataset

_KEYS = {"train": "TRAIN_DIR", "validation": "VAL_DIR", "test": "TEST_DIR"}

log = logging.getLogger(__name__)


@attrs.frozen
class LocalFiles:
    """Local data: a `save_to_disk` folder, or the files of each split.

    Attributes:
        saved: the `save_to_disk` folder, or None.
        files: split -> its files.
    """

    saved: Path | None = None
    files: Mapping[str, tuple[Path, ...]] = attrs.field(factory=dict)


def local_root(data: DataParams) -> Path | None:
    """Return the path in CUSTOM_DATASET_PATH, or in DATASET where it is one, or None.

    Raises:
        InputError: it does not exist, or is a list.
    """
    require_one_place(data)
    given = one_path(data)
    if given is None and data.dataset and Path(data.dataset).expanduser().exists():
        given = data.dataset
    root = Path(given).expanduser() if given else None
    if root is not None and not root.exists():
        raise InputError(
            f"CUSTOM_DATASET_PATH: {given} does not exist (looked for it at {root.absolute()}). Correct the path."
        )
    return root


def locate_files(data: DataParams, formats: Sequence[FormatChoice] | None = None) -> LocalFiles | None:
    """Return the local files of a config, or None where the data comes from the hub. Reads no data.

    Of a split that no key names, files of its name beside TRAIN_DIR are taken, where that lies directly in
    CUSTOM_DATASET_PATH or is named train.

    Args:
        data: the keys of the data.
        formats: those that serve the task, `plan.formats`; None for those of tables that are installed.

    Raises:
        InputError: a path does not exist, a format is not supported, or a folder's splits are ambiguous.
    """
    root, kinds = local_root(data), FileKinds.of(data, formats)
    named = {"train": data.train_dir, "validation": data.val_dir, "test": data.test_dir}
    explicit = {split: _explicit(split, given, root, kinds) for split, given in named.items() if given}
    if "train" in explicit:
        explicit = {**_beside(_place("train", str(data.train_dir), root), root, explicit), **explicit}
    if root is None:
        return LocalFiles(files=explicit) if explicit else None
    if root.is_file():
        return LocalFiles(files={"train": (kinds.require(root),), **explicit})
    if (root / "dataset_dict.json").is_file() or (root / "state.json").is_file():
        return LocalFiles(saved=root)
    found = dict(explicit)
    if "train" not in explicit:
        found = {**(_in_folder(root, kinds) or _in_folder(root, kinds.where_none_is_listed())), **explicit}
    if not found:
        given = one_path(data) or data.dataset
        raise InputError(
            f"CUSTOM_DATASET_PATH: {given} contains no data file ({kinds}) and is not a save_to_disk folder."
            f" Give the folder or file that holds the rows.{what_to_make_of(visible(root))}"
        )
    return LocalFiles(files=found)


def visible(folder: Path) -> list[Path]:
    """Return the entries of a folder, sorted, without those that systems and tools hide in it."""
    return sorted(path for path in folder.iterdir() if not path.name.startswith((".", "~$", "__MACOSX", "@eaDir")))


def _place(split: str, given: str, root: Path | None) -> Path:
    path = Path(given).expanduser()
    inside = root / path if root is not None and not path.is_absolute() else path
    path = inside if inside.exists() else path
    if not path.exists():
        raise InputError(
            f"{_KEYS[split]}: {given} does not exist (looked for it at {inside.absolute()}). Correct the path."
        )
    return path


def _explicit(split: str, given: str, root: Path | None, kinds: FileKinds) -> tuple[Path, ...]:
    path = _place(split, given, root)
    if path.is_file():
        return (kinds.require(path),)
    files = kinds.of_folder(visible(path))
    if not files:
        raise InputError(
            f"{_KEYS[split]}: {path} contains no data file ({kinds}). Give the folder that holds the rows."
            f"{what_to_make_of(visible(path))}"
        )
    return files


def _beside(train: Path, root: Path | None, named: Mapping[str, tuple[Path, ...]]) -> dict[str, tuple[Path, ...]]:
    """Return the files of the splits that no key names, by their names beside those of the training split.

    They are of its kind of file, and in a folder only where it is in one: a project's `test/README.txt` is no split.
    """
    in_root = root is not None and train.parent.resolve() == root.resolve()
    if not in_root and _whole_name(train) not in SPLIT_NAMES["train"]:
        return {}
    used = {path.resolve() for paths in named.values() for path in paths}
    suffixes = {path.suffix.casefold() for path in named["train"]}
    found: dict[str, tuple[Path, ...]] = {}
    for split, names in SPLIT_NAMES.items():
        beside = [path for path in visible(train.parent) if _whole_name(path) in names and not is_run_folder(path)]
        for path in sorted(beside, key=lambda path: names.index(_whole_name(path))):
            inside = [path] if path.is_file() else visible(path) if train.is_dir() else []
            files = tuple(p for p in inside if p.is_file() and p.suffix.casefold() in suffixes)
            if files and split not in named and split not in found and used.isdisjoint(p.resolve() for p in files):
                found[split] = files
    return found


def report_splits_beside(data: DataParams, found: Mapping[str, str]) -> None:
    """Log the splits that no key names, and that were found beside TRAIN_DIR.

    Args:
        data: of the config.
        found: split -> where its rows are.
    """
    for split, given in (("validation", data.val_dir), ("test", data.test_dir)):
        if data.train_dir and not given and split in found:
            log.info("%s is not set: %s is read, which lies beside TRAIN_DIR", _KEYS[split], found[split])


def _whole_name(path: Path) -> str:
    return (path.name if path.is_dir() else path.stem).casefold()


def _in_folder(root: Path, kinds: FileKinds) -> dict[str, tuple[Path, ...]]:
    splits: dict[str, list[Path]] = {}
    unnamed = []
    for path in visible(root):
        split = canonical_split(path.stem)
        if path.is_dir() and is_run_folder(path):
            continue
        if path.is_dir():
            inside = [p for p in visible(path) if p.is_file() and kinds.lists(p)]
            if split and inside:
                splits.setdefault(split, []).extend(inside)
        elif kinds.lists(path):
            if split:
                splits.setdefault(split, []).append(path)
            else:
                unnamed.append(path)
    if "train" not in splits and (documents := kinds.documents_in(unnamed)):
        return {split: tuple(paths) for split, paths in {**splits, "train": documents}.items()}
    tables = [path for path in unnamed if path.suffix.casefold() in kinds.general]
    if "train" not in splits and len(unnamed) > 1 and len(tables) == 1:
        left = first_of(path.name for path in unnamed if path not in tables)
        log.warning("%s is read, and not %s beside it. DATA_FORMAT names another format.", tables[0], left)
        unnamed = tables
    if "train" not in splits and len({path.stem for path in unnamed}) == 1:
        splits["train"] = unnamed  # a single file, or those that a format keeps beside one another
    elif "train" not in splits and unnamed:
        raise InputError(
            f"CUSTOM_DATASET_PATH: {root} contains several files, none of them named train "
            f"({', '.join(path.name for path in unnamed[:5])}). "
            "Rename one, or set TRAIN_DIR, VAL_DIR, TEST_DIR."
        )
    return {split: tuple(paths) for split, paths in splits.items()}


def check_data_source(data: DataParams, formats: Sequence[FormatChoice] | None = None) -> None:
    """Check that the data exists and that its format is known, without reading it.

    Args: as `locate_files`.

    Raises:
        InputError, DataError: see `locate_files`, `recognise_splits` and `adapt_core.hf.models.hub.require_dataset`; or
            DATA_FORMAT is given for data that is not in files.
    """
    for place in data_places(data):
        with naming(place):
            check_data_source(place.of(data), formats)
    if data_places(data):
        return
    local = locate_files(data, formats)
    if data.data_format is not None and (local is None or local.saved is not None):
        raise InputError(
            f"DATA_FORMAT names the format of files, and {data.dataset if local is None else local.saved} is a data "
            "set of the library datasets. Leave DATA_FORMAT out."
        )
    if local is not None:
        recognise_splits(local.files, formats, data.data_format, data.sheet)
    elif data.dataset not in PACKAGED_BUILDERS:
        from adapt_core.hf.models.hub import require_dataset

        require_dataset(str(data.dataset))


def data_formats(plan: Plan) -> dict[str, Recognised]:
    """Return the format of each split ("train", or "train of NAME" where there are several data sets).

    There are none where the data is on the hub or in a `save_to_disk` folder.

    Raises:
        InputError, DataError: see `locate_files` and `recognise_splits`.
    """
    places = data_places(plan.data)
    if not places:
        return _formats_of(plan.data, plan.formats)
    found = {place: _formats_of(place.of(plan.data), plan.formats) for place in places}
    return {f"{split} of {place.name}": one for place, formats in found.items() for split, one in formats.items()}


def _formats_of(data: DataParams, formats: Sequence[FormatChoice]) -> dict[str, Recognised]:
    local = locate_files(data, formats)
    return {} if local is None else recognise_splits(local.files, formats, data.data_format, data.sheet)


def load_raw(data: DataParams, formats: Sequence[FormatChoice] | None = None) -> dict[str, Dataset]:
    """Return the raw splits of the data (of "train", "validation", "test"), memory-mapped.

    Those of several data sets have the column `adapt_core.hf.data.places.PLACE`.

    Args: as `locate_files`.

    Raises:
        InputError, DataError: the data cannot be found or read.
    """
    if not data_places(data):
        return load_place(data, formats)
    return joined_places(data, read_places(data, lambda place: load_place(place.of(data), formats)))


def load_place(data: DataParams, formats: Sequence[FormatChoice] | None) -> dict[str, Dataset]:
    """Return the raw splits of data in one place; see `load_raw`."""
    quiet_data_library()
    local = locate_files(data, formats)
    if local is None:
        return with_names_of_train(from_hub(data))
    if local.saved is not None:
        return with_names_of_train(from_disk(local.saved))
    report_splits_beside(data, {split: first_of(paths) for split, paths in local.files.items()})
    read = read_splits(local.files, formats, data.data_format, data.sheet, skip=data.skip_bad_rows)
    return with_names_of_train(read)
