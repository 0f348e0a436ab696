"""Rows of images with labels or numbers, from class folders or from a table with an image column."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from adapt_core.config.data_places import one_path
from adapt_core.config.plan import Plan
from adapt_core.errors import DataError, InputError
from adapt_core.evaluation import Statistic
from adapt_core.hf.data.columns import column_values, require_columns
from adapt_core.hf.data.source import load_raw, locate_files, report_splits_beside
from adapt_core.hf.data.splits import load_splits, needed_splits, numbered_splits, say_test_left_out
from adapt_core.hf.models.logging import quiet_data_library
from adapt_core.hf.problems.choice import Choice, choose_problem, required_targets, target_columns
from adapt_core.hf.problems.kinds import AUTO, SINGLE_LABEL
from adapt_core.hf.problems.params import wanted_kind
from adapt_core.hf.problems.targets import Target, Targets, batch_values, target_values

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
        splits: split -> dataset with an image column and those of the target.
        image: the name of the image column.
        target: the names of the target's.
        choice: the kind of the problem, which reads the target.
        base: folders that relative paths are searched in.
        stats: for `result.json`.
        numbers: see `TaskData.row_numbers`.
    """

    splits: dict[str, Dataset]
    image: str
    target: Sequence[str]
    choice: Choice
    base: tuple[Path, ...] = ()
    stats: dict[str, Statistic] = attrs.field(factory=dict)
    numbers: Mapping[str, Sequence[int]] = attrs.field(factory=dict)

    def columns(self, split: str) -> tuple[Sequence[ImageValue], list[Target]]:
        """Return the images and targets of a split. Paths are a list; encoded images stay memory-mapped."""
        dataset = self.splits[split]
        targets = [self.choice.targets.encode(value) for value in target_values(dataset, self.target)]
        if getattr(dataset.features[self.image], "dtype", None) in _TEXT:
            return list(column_values(dataset, self.image)), targets
        return dataset[self.image], targets


def required_columns(plan: Plan[ImageClassificationParams]) -> list[tuple[str, str]]:
    """Return the columns of image and target in rows of a table, each with the key that names it."""
    image = str(plan.data.input_column or plan.task.params.dataset_text_field)
    return [(image, "input_column"), *required_targets(plan)]


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


def require_one_label(params: ImageClassificationParams, folders: Mapping[str, Path]) -> None:
    """Check that nothing but one label is asked of class folders.

    Args:
        params: for problem_type and target_columns.
        folders: what `find_split_folders` returned.

    Raises:
        InputError: several labels, or numbers, are.
    """
    kind = wanted_kind(params)
    if kind in (AUTO, SINGLE_LABEL) and not params.target_columns:
        return
    key = "target_columns" if params.target_columns else f"problem_type: {kind}"
    raise InputError(
        f"{key}: {next(iter(folders.values()))} holds class folders, which give each image one label. Give a "
        "table with a column of images and a column of labels in lists, or one for each label or number."
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
        image, columns = "image", ["label"]
        base: tuple[Path, ...] = ()
        raw = {split: _from_folder(folder, skip_empty=plan.data.skip_bad_rows) for split, folder in folders.items()}
        raw = needed_splits(raw, plan.training)
    else:
        columns = target_columns(plan)
        (image, _), *_ = required = required_columns(plan)
        raw = load_splits(plan, required, columns[0])
        raw = {split: _undecoded(dataset, image) for split, dataset in raw.items()}
        base = _base_folders(plan)
    choice = choose_problem(plan, raw.get("train", raw.get("validation")), columns)
    targets = choice.targets
    splits, stats, numbers = numbered_splits(
        plan,
        raw,
        lambda rows, split: _find_faults(rows, [image, *columns], targets, base, unseen=split != "train"),
        lambda rows: targets.strata(list(target_values(rows, columns))),
    )
    for split, dropped in ((split, stats.get(f"{split}_dropped")) for split in raw):
        if dropped:
            log.warning("%s: %d unusable images are skipped (SKIP_BAD_ROWS).", split, dropped)
    return Rows(splits=splits, image=image, target=columns, choice=choice, base=base, stats=stats, numbers=numbers)


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
    return _pictured(_undecoded(rows, image), image, _base_folders(plan))


def held_out_images(rows: Rows) -> dict[str, Table]:
    """Return the rows that a fold holds out, with their images as `test_images` has them; none without FOLDS."""
    return {split: _pictured(rows.splits[split], rows.image, rows.base) for split in rows.numbers}


def _pictured(rows: Dataset, image: str, base: Sequence[Path]) -> Table:
    if image != "image":
        rows = rows.remove_columns([name for name in rows.column_names if name == "image"])
        rows = rows.rename_column(image, "image")
    if getattr(rows.features["image"], "dtype", None) not in _TEXT:
        return rows
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
    root = one_path(plan.data)
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
    dataset: Dataset, columns: Sequence[str], targets: Targets, base: Sequence[Path], *, unseen: bool
) -> Iterator[str | None]:
    image, *target = columns
    target_fault = targets.unseen_fault if unseen else targets.fault
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
            found = zip(jobs, batch[image], batch_values(batch, target), strict=True)
            for row, (job, value, given) in enumerate(found, start):
                fault = job.result()
                wrong = f"{name_of(value, row)} {fault}" if fault else target_fault(given)
                yield wrong if wrong is None or fault else f"{name_of(value, row)}: {wrong}"


def _size(source: Path | bytes | None) -> int:
    if isinstance(source, Path):
        return source.stat().st_size if os.path.isfile(source) else 0
    return len(source or b"")


def _find_fault(source: Path | bytes | None, *, decode: bool) -> str | None:
    return "is missing (null)" if source is None else find_defect(source, decode=decode)
