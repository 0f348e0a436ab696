"""Rows of images and labels: from class folders, or from a table with an image column."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from adapt_core.config.plan import Plan
from adapt_core.errors import DataError
from adapt_core.hf.data.columns import column_values
from adapt_core.hf.data.labels import Labels, read_labels, unseen_fault
from adapt_core.hf.data.source import locate_files
from adapt_core.hf.data.splits import clean_splits, load_splits, needed_splits
from adapt_core.hf.models.logging import quiet_libraries

from adapt_vision_mm.images.decoder import find_defect
from adapt_vision_mm.images.folders import find_split_folders, iterate_images, warn_of_unlabelled

if TYPE_CHECKING:
    from datasets import Dataset

DECODED_BYTES = 64 * 2**20
"""Images up to this many bytes in all are decoded whole before training; of the further ones only the header is."""

_TEXT = ("string", "large_string")

log = logging.getLogger(__name__)


@attrs.frozen(kw_only=True)
class Rows:
    """The good rows of each split.

    Attributes:
        splits: split -> data set with an image and a label column.
        image, label: the names of those columns.
        labels: the classes.
        base: folders in which relative paths are looked for.
        stats: for `result.json`.
    """

    splits: dict[str, Dataset]
    image: str
    label: str
    labels: Labels
    base: tuple[Path, ...] = ()
    stats: dict[str, Any] = attrs.field(factory=dict)

    def columns(self, split: str) -> tuple[Sequence[Any], list[int]]:
        """Images and class ids of a split. Paths as a list; encoded images stay memory-mapped."""
        dataset = self.splits[split]
        ids = [self.labels.ids[value] for value in column_values(dataset, self.label)]
        if getattr(dataset.features[self.image], "dtype", None) in _TEXT:
            return list(column_values(dataset, self.image)), ids
        return dataset[self.image], ids


def load_rows(plan: Plan) -> Rows:
    """Finds, validates and splits the rows.

    Raises:
        DataError: naming the image or row at fault, unless SKIP_BAD_ROWS.
    """
    quiet_libraries()
    folders = find_split_folders(plan.data)
    if folders is not None:
        warn_of_unlabelled(plan.data, folders)
        image, label = "image", "label"
        base: tuple[Path, ...] = ()
        raw = {split: _from_folder(folder, plan.data.skip_bad_rows) for split, folder in folders.items()}
        raw = needed_splits(raw, plan.data, plan.training)
    else:
        image = str(plan.data.input_column or plan.task.params.dataset_text_field)
        label = str(plan.data.target_column or "label")
        raw = load_splits(plan, [(image, "input_column"), (label, "target_column")])
        raw = {split: _undecoded(dataset, image) for split, dataset in raw.items()}
        base = _places(plan)
    labels = read_labels(raw.get("train", raw.get("validation")), label)
    splits, stats = clean_splits(
        plan,
        raw,
        lambda rows, split: _faults(rows, split, image, label, labels, base),
        lambda rows: list(column_values(rows, label)),
    )
    for split, dropped in ((split, stats[f"{split}_dropped"]) for split in raw):
        if dropped:
            log.warning("%s: %d images that cannot be used are left out (SKIP_BAD_ROWS).", split, dropped)
    stats["classes"] = len(labels.names)
    return Rows(splits=splits, image=image, label=label, labels=labels, base=base, stats=stats)


def _from_folder(folder: Path, skip_empty: bool) -> Dataset:
    from datasets import Dataset

    found = list(iterate_images(folder, skip_empty=skip_empty))
    return Dataset.from_dict({"image": [str(path) for path, _ in found], "label": [name for _, name in found]})


def _undecoded(dataset: Dataset, image: str) -> Dataset:
    from datasets import Image, Value

    feature = dataset.features[image]
    if isinstance(feature, Image):
        return dataset.cast_column(image, Image(decode=False))
    encoded = isinstance(feature, dict) and "bytes" in feature
    if encoded or (
        isinstance(feature, Value) and feature.dtype in ("string", "large_string", "binary", "large_binary")
    ):
        return dataset
    raise DataError(f"column {image!r} holds {feature}: neither images nor paths of images.")


def _places(plan: Plan) -> tuple[Path, ...]:
    local = locate_files(plan.data)
    root = plan.data.custom_dataset_path
    places = [Path(root).expanduser()] if root and Path(root).expanduser().is_dir() else []
    if local is not None:
        places += [path.parent for paths in local.files.values() for path in paths]
    return tuple(dict.fromkeys(path.absolute() for path in places))


def image_source(value: Any, base: Sequence[Path]) -> Path | bytes:
    """The file or bytes that an image column's value means; relative paths are looked for in `base`."""
    if isinstance(value, dict):
        if value.get("bytes") is not None:
            return bytes(value["bytes"])
        value = value.get("path") or ""
    if isinstance(value, bytes):
        return value
    path = Path(str(value)).expanduser()
    if not path.is_absolute():
        path = next((place / path for place in base if (place / path).exists()), path)
    return path


def name_of(value: Any, row: int) -> str:
    """What to call an image in a message: its path, else its row (from 1)."""
    path = value.get("path") if isinstance(value, dict) else value if isinstance(value, str) else None
    return path or f"the image of row {row + 1}"


def _faults(
    dataset: Dataset, split: str, image: str, label: str, labels: Labels, base: Sequence[Path]
) -> Iterator[str | None]:
    seen = labels.fault if split == "train" else lambda value: unseen_fault(value, labels)
    workers = min(8, os.cpu_count() or 1)
    decoded = 0
    with ThreadPoolExecutor(workers) as pool:
        for start in range(0, len(dataset), 512):
            batch = dataset[start : start + 512]
            jobs = []
            for value in batch[image]:
                source = None if value is None else image_source(value, base)
                size = _size(source)
                decoded += size
                jobs.append(pool.submit(_fault, source, decoded <= DECODED_BYTES))
            for row, (job, value, target) in enumerate(zip(jobs, batch[image], batch[label], strict=True), start):
                fault = job.result()
                wrong = f"{name_of(value, row)} {fault}" if fault else seen(target)
                yield wrong if wrong is None or fault else f"{name_of(value, row)}: {wrong}"


def _size(source: Path | bytes | None) -> int:
    if isinstance(source, Path):
        return source.stat().st_size if source.is_file() else 0
    return len(source or b"")


def _fault(source: Path | bytes | None, whole: bool) -> str | None:
    return "is missing (null)" if source is None else find_defect(source, decode=whole)
