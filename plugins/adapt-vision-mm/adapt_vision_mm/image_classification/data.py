"""Rows of images and labels, from class folders or from a table with an image column."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from adapt_core.config.plan import Plan
from adapt_core.errors import DataError
from adapt_core.evaluation import Statistic
from adapt_core.hf.data.columns import column_values, require_columns
from adapt_core.hf.data.labels import Labels, read_labels
from adapt_core.hf.data.source import load_raw, locate_files, report_splits_beside
from adapt_core.hf.data.splits import clean_splits, load_splits, needed_splits, say_test_left_out
from adapt_core.hf.models.logging import quiet_data_library

from adapt_vision_mm.image_classification.params import ImageClassificationParams
from adapt_vision_mm.images.decoder import find_defect
from adapt_vision_mm.images.folders import (
    find_split_folders,
    find_unlabelled_test,
    iterate_images,
    list_class_folders,
    warn_of_unlabelled,
)
from adapt_vision_mm.images.inputs import list_images

if TYPE_CHECKING:
    from datasets import Dataset

    from adapt_core.execution.rows import Table

DECODED_BYTES = 64 * 2**20
"""Images are decoded before training up to this many bytes in all; of the others only the header is read."""

_TEXT = ("string", "large_string")

ImageValue = str | bytes | Mapping[str, Any]
"""A value of an image column: a path, an encoded image, or both as datasets has them (`path`, `bytes`)."""

log = logging.getLogger(__name__)


@attrs.frozen(kw_only=True)
class Rows:
    """The validated rows of each split.

    Attributes:
        splits: split -> dataset with an image and a label column.
        image, label: the names of those columns.
        labels: the classes.
        base: folders that relative paths are searched in.
        stats: for `result.json`.
    """

    splits: dict[str, Dataset]
    image: str
    label: str
    labels: Labels
    base: tuple[Path, ...] = ()
    stats: dict[str, Statistic] = attrs.field(factory=dict)

    def columns(self, split: str) -> tuple[Sequence[ImageValue], list[int]]:
        """Return the images and class ids of a split. Paths are a list; encoded images stay memory-mapped."""
        dataset = self.splits[split]
        ids = [self.labels.id_of(value) for value in column_values(dataset, self.label)]
        if getattr(dataset.features[self.image], "dtype", None) in _TEXT:
            return list(column_values(dataset, self.image)), ids
        return dataset[self.image], ids


def required_columns(plan: Plan[ImageClassificationParams]) -> list[tuple[str, str]]:
    """Return the columns of image and class in rows of a table, each with the key that names it."""
    image = str(plan.data.input_column or plan.task.params.dataset_text_field)
    return [(image, "input_column"), (str(plan.data.target_column or "label"), "target_column")]


def require_two_classes(folders: Mapping[str, Path]) -> None:
    """Check that the training split has two classes or more.

    Args:
        folders: what `find_split_folders` returned.

    Raises:
        DataError: it has one.
    """
    names = list(list_class_folders(folders["train"])) if "train" in folders else []
    if len(names) == 1:
        raise DataError(
            f"{folders['train']} (train) has only one class, the folder {names[0]}; classification needs two or more."
            " Add the folders of the others."
        )


def load_rows(plan: Plan[ImageClassificationParams]) -> Rows:
    """Find, validate and split the rows.

    Raises:
        DataError: an image or label cannot be used, and SKIP_BAD_ROWS is false; the message names it.
    """
    quiet_data_library()
    folders = find_split_folders(plan.data)
    if folders is not None:
        report_splits_beside(plan.data, {split: str(folder) for split, folder in folders.items()})
        warn_of_unlabelled(plan.data, folders)
        if find_unlabelled_test(plan.data) is not None:
            say_test_left_out(plan, "no class folders")
        image, label = "image", "label"
        base: tuple[Path, ...] = ()
        raw = {split: _from_folder(folder, skip_empty=plan.data.skip_bad_rows) for split, folder in folders.items()}
        raw = needed_splits(raw, plan.training)
    else:
        (image, _), (label, _) = required = required_columns(plan)
        raw = load_splits(plan, required, label)
        raw = {split: _undecoded(dataset, image) for split, dataset in raw.items()}
        base = _base_folders(plan)
    labels = read_labels(raw.get("train", raw.get("validation")), label)
    splits, stats = clean_splits(
        plan,
        raw,
        lambda rows, split: _find_faults(rows, (image, label), labels, base, unseen=split != "train"),
        lambda rows: list(column_values(rows, label)),
    )
    for split, dropped in ((split, stats[f"{split}_dropped"]) for split in raw):
        if dropped:
            log.warning("%s: %d unusable images are skipped (SKIP_BAD_ROWS).", split, dropped)
    stats["classes"] = len(labels.names)
    return Rows(splits=splits, image=image, label=label, labels=labels, base=base, stats=stats)


def test_images(plan: Plan[ImageClassificationParams]) -> Table | None:
    """Return the images of the test split as rows with `image`, with or without labels; None where there are none.

    Raises:
        InputError: its place does not exist, or it has no images.
    """
    quiet_data_library()
    folders = find_split_folders(plan.data)
    if folders is not None:
        if "test" in folders:
            found = iterate_images(folders["test"], skip_empty=True)
            return [{"image": str(path)} for path, _ in found]
        place = find_unlabelled_test(plan.data)
        return None if place is None else [{"image": str(path)} for path in list_images([str(place)])]
    rows = load_raw(plan.data, plan.formats).get("test")
    if rows is None:
        return None
    required = required_columns(plan)[:1]
    require_columns(rows.column_names, required, "test")
    ((image, _),) = required
    rows = _undecoded(rows, image)
    if image != "image":
        rows = rows.remove_columns([name for name in rows.column_names if name == "image"])
        rows = rows.rename_column(image, "image")
    if getattr(rows.features["image"], "dtype", None) not in _TEXT:
        return rows
    base = _base_folders(plan)
    return [{**row, "image": row["image"] and str(image_source(row["image"], base))} for row in rows]


def _from_folder(folder: Path, *, skip_empty: bool) -> Dataset:
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
    raise DataError(
        f"column {image!r} contains {feature}, which is neither images nor image paths. Name another input_column."
    )


def _base_folders(plan: Plan[ImageClassificationParams]) -> tuple[Path, ...]:
    local = locate_files(plan.data, plan.formats)
    root = plan.data.custom_dataset_path
    folders = [Path(root).expanduser()] if root and Path(root).expanduser().is_dir() else []
    if local is not None:
        folders += [path.parent for paths in local.files.values() for path in paths]
    return tuple(dict.fromkeys(path.absolute() for path in folders))


def image_source(value: ImageValue, base: Sequence[Path]) -> Path | bytes:
    """Return the file or bytes of an image column's value; relative paths are searched in `base`."""
    if isinstance(value, Mapping):
        if value.get("bytes") is not None:
            return bytes(value["bytes"])
        value = value.get("path") or ""
    if isinstance(value, bytes):
        return value
    path = Path(str(value)).expanduser()
    if not path.is_absolute():
        path = next((folder / path for folder in base if os.path.exists(folder / path)), path)
    return path


def name_of(value: ImageValue | None, row: int) -> str:
    """Return the name of an image in messages: its path, or its row (from 1)."""
    path = value.get("path") if isinstance(value, Mapping) else value if isinstance(value, str) else None
    return path or f"the image of row {row + 1}"


def _find_faults(
    dataset: Dataset, columns: tuple[str, str], labels: Labels, base: Sequence[Path], *, unseen: bool
) -> Iterator[str | None]:
    image, label = columns
    label_fault = labels.unseen_fault if unseen else labels.fault
    workers = min(8, os.cpu_count() or 1)
    decoded = 0
    with ThreadPoolExecutor(workers) as pool:
        for start in range(0, len(dataset), 512):
            batch = dataset[start : start + 512]
            jobs = []
            for value in batch[image]:
                source = None if value is None else image_source(value, base)
                decoded += _size(source)
                jobs.append(pool.submit(_find_fault, source, decode=decoded <= DECODED_BYTES))
            for row, (job, value, target) in enumerate(zip(jobs, batch[image], batch[label], strict=True), start):
                fault = job.result()
                wrong = f"{name_of(value, row)} {fault}" if fault else label_fault(target)
                yield wrong if wrong is None or fault else f"{name_of(value, row)}: {wrong}"


def _size(source: Path | bytes | None) -> int:
    if isinstance(source, Path):
        return source.stat().st_size if os.path.isfile(source) else 0
    return len(source or b"")


def _find_fault(source: Path | bytes | None, *, decode: bool) -> str | None:
    return "is missing (null)" if source is None else find_defect(source, decode=decode)
