"""Raw splits from DATASET or CUSTOM_DATASET_PATH. Errors have the file and line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from adapt_core.config.core_params import PACKAGED_BUILDERS, DataParams
from adapt_core.errors import DataError, InputError
from adapt_core.hf.models.logging import quiet_libraries

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

BUILDERS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "json",
    ".ndjson": "json",
    ".json": "json",
    ".parquet": "parquet",
    ".txt": "text",
}
SPLIT_NAMES = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev", "eval", "evaluation"),
    "test": ("test", "testing"),
}


@attrs.frozen
class LocalFiles:
    """Local data: a `save_to_disk` folder, or the files of each split.

    Attributes:
        saved: the `save_to_disk` folder, or None.
        files: split -> its files.
    """

    saved: Path | None = None
    files: Mapping[str, tuple[Path, ...]] = attrs.field(factory=dict)


def canonical_split(name: str) -> str | None:
    """Return "train", "validation" or "test" for the name of a split or file, or None."""
    words = name.casefold().replace("-", "_").replace(".", "_").split("_")
    for split, names in SPLIT_NAMES.items():
        if words[0] in names or words[-1] in names:
            return split
    return None


def local_root(data: DataParams) -> Path | None:
    """Return the path in CUSTOM_DATASET_PATH, or in DATASET where it is one, or None.

    Raises:
        InputError: it does not exist.
    """
    given = data.custom_dataset_path
    if given is None and data.dataset and Path(data.dataset).expanduser().exists():
        given = data.dataset
    root = Path(given).expanduser() if given else None
    if root is not None and not root.exists():
        raise InputError(f"CUSTOM_DATASET_PATH: {given} does not exist (looked for it at {root.absolute()}).")
    return root


def locate_files(data: DataParams) -> LocalFiles | None:
    """Return the local files of a config, or None where the data comes from the hub. Reads no data.

    Raises:
        InputError: a path does not exist, a format is not supported, or a folder's splits are ambiguous.
    """
    root = local_root(data)
    named = {"train": data.train_dir, "validation": data.val_dir, "test": data.test_dir}
    explicit = {split: _explicit(split, place, root) for split, place in named.items() if place}
    if root is None:
        return LocalFiles(files=explicit) if explicit else None
    if root.is_file():
        return LocalFiles(files={"train": (_known(root),), **explicit})
    if (root / "dataset_dict.json").is_file() or (root / "state.json").is_file():
        return LocalFiles(saved=root)
    found = {**_in_folder(root), **explicit} if "train" not in explicit else explicit
    if not found:
        suffixes = ", ".join(BUILDERS)
        given = data.custom_dataset_path or data.dataset
        raise InputError(
            f"CUSTOM_DATASET_PATH: {given} contains no data file ({suffixes}) and is not a save_to_disk folder."
        )
    return LocalFiles(files=found)


def _explicit(split: str, place: str, root: Path | None) -> tuple[Path, ...]:
    key = {"train": "TRAIN_DIR", "validation": "VAL_DIR", "test": "TEST_DIR"}[split]
    path = Path(place).expanduser()
    inside = root / path if root is not None and not path.is_absolute() else path
    path = inside if inside.exists() else path
    if not path.exists():
        raise InputError(f"{key}: {place} does not exist (looked for it at {inside.absolute()}).")
    if path.is_file():
        return (_known(path),)
    files = tuple(sorted(p for p in path.iterdir() if p.suffix.casefold() in BUILDERS))
    if not files:
        raise InputError(f"{key}: {path} contains no data file ({', '.join(BUILDERS)}).")
    return files


def _known(path: Path) -> Path:
    if path.suffix.casefold() not in BUILDERS:
        raise InputError(
            f"{path}: files of type {path.suffix or '(none)'!r} are not supported; these are: {', '.join(BUILDERS)}."
        )
    return path


def _in_folder(root: Path) -> dict[str, tuple[Path, ...]]:
    splits: dict[str, list[Path]] = {}
    unnamed = []
    for path in sorted(root.iterdir()):
        split = canonical_split(path.stem)
        if path.is_dir():
            inside = sorted(p for p in path.iterdir() if p.is_file() and p.suffix.casefold() in BUILDERS)
            if split and inside:
                splits.setdefault(split, []).extend(inside)
        elif path.suffix.casefold() in BUILDERS:
            if split:
                splits.setdefault(split, []).append(path)
            else:
                unnamed.append(path)
    if "train" not in splits and len(unnamed) == 1:
        splits["train"] = unnamed
    elif "train" not in splits and unnamed:
        names = ", ".join(path.name for path in unnamed[:5])
        raise InputError(
            f"CUSTOM_DATASET_PATH: {root} contains several files, none of them named train ({names}). "
            "Rename one, or set TRAIN_DIR, VAL_DIR, TEST_DIR."
        )
    return {split: tuple(paths) for split, paths in splits.items()}


def check_data_source(data: DataParams) -> None:
    """Check that the data exists, without reading it.

    Raises:
        InputError: see `locate_files`, and `adapt_core.hf.models.hub.require_dataset`.
    """
    if locate_files(data) is None and data.dataset not in PACKAGED_BUILDERS:
        from adapt_core.hf.models.hub import require_dataset

        require_dataset(str(data.dataset))


def load_raw(data: DataParams) -> dict[str, Dataset]:
    """Return the raw splits of the data (of "train", "validation", "test"), memory-mapped.

    Raises:
        InputError, DataError: the data cannot be found or read.
    """
    quiet_libraries()
    local = locate_files(data)
    if local is None:
        return _from_hub(data)
    if local.saved is not None:
        return _from_disk(local.saved)
    return {split: _from_files(paths) for split, paths in local.files.items()}


def _from_disk(folder: Path) -> dict[str, Dataset]:
    import datasets

    try:
        loaded = datasets.load_from_disk(str(folder))
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{folder} cannot be read as a save_to_disk folder: {error}") from error
    return _by_split(loaded)


def _from_hub(data: DataParams) -> dict[str, Dataset]:
    import datasets

    arguments = dict(data.dataset_config) if isinstance(data.dataset_config, dict) else {}
    name = data.dataset_subname or (data.dataset_config if isinstance(data.dataset_config, str) else None)
    try:
        loaded = datasets.load_dataset(str(data.dataset), name, **arguments)
    except (OSError, ValueError, TypeError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        raise DataError(f"DATASET: {data.dataset} cannot be loaded: {' '.join(str(error).split())[:400]}") from error
    return _by_split(loaded)


def _by_split(loaded: Dataset | DatasetDict) -> dict[str, Dataset]:
    if not isinstance(loaded, dict):
        return {"train": loaded}
    splits: dict[str, Dataset] = {}
    for name, dataset in loaded.items():
        split = canonical_split(str(name))
        if split:
            splits.setdefault(split, dataset)
    if not splits and len(loaded) == 1:
        return {"train": next(iter(loaded.values()))}
    return splits or dict(loaded)


def _from_files(paths: tuple[Path, ...]) -> Dataset:
    import datasets

    kinds = {path.suffix.casefold() for path in paths}
    if len({BUILDERS[kind] for kind in kinds}) > 1:
        raise DataError(f"{paths[0].parent} mixes file types in one split: {', '.join(sorted(kinds))}.")
    for path in paths:
        if path.stat().st_size == 0:
            raise DataError(f"{path} is empty.")
    suffix = paths[0].suffix.casefold()
    options: dict[str, Any] = {}
    if BUILDERS[suffix] == "csv":
        # An empty cell is a missing value; the text "NA" or "None" is text.
        options = {"keep_default_na": False, "na_values": [""], "sep": "\t" if suffix == ".tsv" else ","}
    try:
        loaded = datasets.load_dataset(BUILDERS[suffix], data_files=[str(p) for p in paths], split="train", **options)
        # The JSON reader accepts bytes that are not UTF-8; only reading the text from the table would fail.
        loaded.data.table.validate(full=True)
        return loaded
    except (datasets.exceptions.DatasetsError, OSError, ValueError, TypeError, RuntimeError) as error:
        raise DataError(_reason(paths, error)) from error


def _reason(paths: tuple[Path, ...], error: BaseException) -> str:
    for path in paths:
        found = _bad_json_line(path) if path.suffix.casefold() in (".jsonl", ".ndjson") else _bad_encoding(path)
        if found:
            return found
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    return f"{paths[0]} cannot be read: {' '.join(str(cause).split())[:300]}"


def _bad_encoding(path: Path) -> str | None:
    if path.suffix.casefold() == ".parquet":
        return None
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                return f"{path}:{number}: not UTF-8 text (byte {error.start} of the line). Save the file as UTF-8."
    return None


def _bad_json_line(path: Path) -> str | None:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line.decode("utf-8"))
            except UnicodeDecodeError:
                return f"{path}:{number}: not UTF-8 text. Save the file as UTF-8."
            except ValueError as error:
                return f"{path}:{number}: not valid JSON: {error}."
            if not isinstance(row, dict):
                return f"{path}:{number}: each line must be a JSON object ({{...}}), not {type(row).__name__}."
    return None
