"""Data sets that the library datasets loads: `save_to_disk` folders, and those of the hub."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from adapt_core.config.core_params.data import DataParams
from adapt_core.errors import DataError
from adapt_core.hf.data.split_names import canonical_split

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict


def from_disk(folder: Path) -> dict[str, Dataset]:
    """Return the splits of a `save_to_disk` folder.

    Raises:
        DataError: it cannot be read.
    """
    import datasets

    try:
        loaded = datasets.load_from_disk(str(folder))
    except Exception as error:
        # Its JSON files can hold anything, and datasets has no error of its own for it: TypeError, AttributeError, ...
        raise DataError(
            f"{folder} cannot be read as a save_to_disk folder: {error} (Save the data set again.)"
        ) from error
    return _by_split(loaded)


def from_hub(data: DataParams) -> dict[str, Dataset]:
    """Return the splits of a data set of the hub, or of a packaged builder.

    Raises:
        DataError: it cannot be loaded.
    """
    import datasets

    arguments = dict(data.dataset_config) if isinstance(data.dataset_config, dict) else {}
    name = data.dataset_subname or (data.dataset_config if isinstance(data.dataset_config, str) else None)
    try:
        loaded = datasets.load_dataset(str(data.dataset), name, **arguments)
    except (OSError, ValueError, TypeError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        raise DataError(
            f"DATASET: {data.dataset} cannot be loaded: {' '.join(str(error).split())[:400]}"
            " (Check the name, the connection and the disk.)"
        ) from error
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
