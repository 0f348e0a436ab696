"""Rows of images with labels or numbers, from class folders or from a table with an image column."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from adapt_core.config.data_places import data_places
from adapt_core.config.plan import Plan
from adapt_core.evaluation import Statistic
from adapt_core.hf.data.columns import column_values, require_columns
from adapt_core.hf.data.further import further_rows
from adapt_core.hf.data.places import take_apart
from adapt_core.hf.data.source import load_raw, report_splits_beside
from adapt_core.hf.data.splits import checked_splits, load_splits, needed_splits, numbered_splits, say_test_left_out
from adapt_core.hf.models.logging import quiet_data_library
from adapt_core.hf.problems.choice import Choice, choose_problem, target_columns
from adapt_core.hf.problems.targets import Target, Targets, batch_values, target_values

from adapt_vision_mm.image_classification.params import ImageClassificationParams
from adapt_vision_mm.image_classification.places import labelled_splits, splits_of_places, test_of_places
from adapt_vision_mm.image_classification.sources import (
    TEXT,
    ImageValue,
    base_folders,
    image_source,
    name_of,
    required_columns,
    rows_of_folder,
    undecoded,
)
from adapt_vision_mm.images.decoder import find_defect
from adapt_vision_mm.images.folders import (
    find_split_folders,
    find_unlabelled_test,
    iterate_images,
    warn_of_unlabelled,
)
from adapt_vision_mm.images.inputs import list_images

if TYPE_CHECKING:
    from datasets import Dataset

    from adapt_core.execution.rows import Table

DECODED_BYTES = 64 * 2**20
"""Images are decoded before training up to this many bytes in all; of the others only the header is read."""

log = logging.getLogger(__name__)

_Plan = Plan[ImageClassificationParams]


@attrs.frozen(kw_only=True)
class Rows:
    """The validated rows of each split.

    Attributes:
        splits: split -> dataset with an image column and those of the target.
        image: the name of the image column.
        target: the names of the target's.
        choice: the kind of the problem, which reads the target.
        base: folders that relative paths are searched in.
        parts: of several data sets, split -> number of a data set -> its rows.
        stats: for `result.json`.
        numbers: see `TaskData.row_numbers`.
    """

    splits: dict[str, Dataset]
    image: str
    target: Sequence[str]
    choice: Choice
    base: tuple[Path, ...] = ()
    parts: Mapping[str, Mapping[int, range]] = attrs.field(factory=dict)
    stats: dict[str, Statistic] = attrs.field(factory=dict)
    numbers: Mapping[str, Sequence[int]] = attrs.field(factory=dict)

    def columns(self, split: str) -> tuple[Sequence[ImageValue], list[Target]]:
        """Return the images and targets of a split. Paths are a list; encoded images stay memory-mapped."""
        dataset = self.splits[split]
        targets = [self.choice.targets.encode(value) for value in target_values(dataset, self.target)]
        if getattr(dataset.features[self.image], "dtype", None) in TEXT:
            return list(column_values(dataset, self.image)), targets
        return dataset[self.image], targets


def load_rows(plan: _Plan) -> Rows:
    """Find, validate and split the rows.

    Raises:
        DataError: an image or label cannot be used, and SKIP_BAD_ROWS is false; the message names it.
    """
    quiet_data_library()
    raw, image, columns, base = _raw_splits(plan)
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
    apart = {split: take_apart(rows) for split, rows in splits.items()}
    return Rows(
        splits={split: rows for split, (rows, _) in apart.items()},
        image=image,
        target=columns,
        choice=choice,
        base=base,
        parts={split: parts for split, (_, parts) in apart.items()},
        stats=stats,
        numbers=numbers,
    )


def _raw_splits(plan: _Plan) -> tuple[dict[str, Dataset], str, list[str], tuple[Path, ...]]:
    """Return the splits, the columns of images and of targets, and the folders that relative paths are searched in."""
    columns = target_columns(plan)
    (image, _), *_ = required = required_columns(plan)
    if data_places(plan.data):
        return checked_splits(plan, splits_of_places(plan), required, columns[0]), image, columns, ()
    folders = find_split_folders(plan.data)
    if folders is None:
        tables = load_splits(plan, required, columns[0])
        raw = {split: undecoded(dataset, image) for split, dataset in tables.items()}
        return raw, image, columns, base_folders(plan.data, plan.formats)
    report_splits_beside(plan.data, {split: str(folder) for split, folder in folders.items()})
    warn_of_unlabelled(plan.data, folders)
    if find_unlabelled_test(plan.data) is not None:
        say_test_left_out(plan, "no class folders")
    image, columns, skip = "image", ["label"], plan.data.skip_bad_rows
    raw = {split: rows_of_folder(folder, [image, *columns], skip_empty=skip) for split, folder in folders.items()}
    return needed_splits(raw, plan.training), image, columns, ()


def load_further_rows(plan: _Plan, own: Rows) -> Rows:
    """Find and validate the rows of the data sets of ALSO_EVALUATE, each a split by its name.

    Args:
        plan: of the run.
        own: the run's rows: a further one whose label they do not have is left out.

    Raises:
        DataError: a data set cannot be read, or none of its images can be scored; the message names it.
    """
    image, *columns = (column for column, _ in required_columns(plan))
    found, counts = further_rows(
        plan,
        lambda rows, split: _find_faults(rows, [image, *columns], own.choice.targets, (), unseen=True),
        next(iter(own.splits.values())).features,
        labelled_splits,
    )
    return Rows(splits=found, image=image, target=columns, choice=own.choice, stats={"also": counts})


def test_images(plan: _Plan) -> Table | None:
    """Return the images of the test split as rows with `image`, with or without labels; None where there are none.

    Raises:
        InputError: its place does not exist, or it has no images.
    """
    quiet_data_library()
    required = required_columns(plan)[:1]
    ((image, _),) = required
    if data_places(plan.data):
        joined = test_of_places(plan)
        return None if joined is None else _pictured(joined, image, ())
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
    require_columns(rows.column_names, required, "test")
    return _pictured(undecoded(rows, image), image, base_folders(plan.data, plan.formats))


def held_out_images(rows: Rows) -> dict[str, Table]:
    """Return the rows that a fold holds out, with their images as `test_images` has them; none without FOLDS."""
    return {split: _pictured(rows.splits[split], rows.image, rows.base) for split in rows.numbers}


def _pictured(rows: Dataset, image: str, base: Sequence[Path]) -> Table:
    if image != "image":
        rows = rows.remove_columns([name for name in rows.column_names if name == "image"])
        rows = rows.rename_column(image, "image")
    if getattr(rows.features["image"], "dtype", None) not in TEXT:
        return rows
    return [{**row, "image": row["image"] and str(image_source(row["image"], base))} for row in rows]


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
