"""Several data sets as one: their rows one after the other, of which each still knows its place, and their shares.

Nothing is copied but columns whose types differ between places: the rows stay in their memory-mapped files, and an
epoch is a list of row numbers.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy
import xxhash

from adapt_core.config.data_places import DataPlace
from adapt_core.config.plan import Plan
from adapt_core.errors import DataError, InputError
from adapt_core.evaluation import OF_PLACE, Statistic
from adapt_core.hf.data.class_names import class_texts
from adapt_core.hf.data.row_places import parts_of, remember_parts, remember_renamed
from adapt_core.hf.data.tables.kinds import Kind, storage

if TYPE_CHECKING:
    from datasets import Dataset
    from datasets.features.features import FeatureType

PLACE = "adapt_place"
"""Column of the number of a row's place, from 0, while there are several."""

log = logging.getLogger(__name__)


@contextmanager
def naming(place: object) -> Iterator[None]:
    """Add a place to the messages of the errors of its data."""
    try:
        yield
    except DataError as error:
        raise DataError(f"{place}: {error}") from None
    except InputError as error:
        raise InputError(f"{place}: {error}") from None


def joined(read: Mapping[DataPlace, Mapping[str, Dataset]], names: Sequence[str]) -> dict[str, Dataset]:
    """Return the splits of several places as one, with the column PLACE.

    A column that only some places have is empty in the others. Classes are united by name.

    Args:
        read: the splits of each place, in the order of the config.
        names: of the places, in the order of the config.

    Raises:
        DataError: a column of a place cannot be what it is elsewhere; the message names the place.
    """
    splits = {split: None for held in read.values() for split in held}
    return {
        split: _joined({place: held[split] for place, held in read.items() if split in held}, split, names)
        for split in splits
    }


def _joined(parts: Mapping[DataPlace, Dataset], split: str, names: Sequence[str]) -> Dataset:
    from datasets import concatenate_datasets

    own = {place: renamed(rows, place, split) for place, rows in parts.items()}
    alike = _alike(own, split)
    marked = []
    for place, rows in alike.items():
        numbers = numpy.full(len(rows), names.index(place.name), dtype=numpy.int16)
        marked.append(rows.add_column(PLACE, numbers, new_fingerprint=f"{rows._fingerprint}-{names.index(place.name)}"))
    whole = concatenate_datasets(marked)
    whole._fingerprint = xxhash.xxh3_128("\0".join(rows._fingerprint for rows in marked).encode()).hexdigest()
    remember_parts(whole, [(str(place), rows) for place, rows in own.items()], split)
    return whole


def renamed(rows: Dataset, place: DataPlace, split: str) -> Dataset:
    """Return the rows of a place with the run's names of columns."""
    for column, wanted in place.columns.items():
        if column not in rows.column_names:
            raise DataError(
                f"{place}: columns: the {split} split has no column {column!r}; it has: {', '.join(rows.column_names)}."
                " Correct the name."
            )
        if wanted in rows.column_names and wanted not in place.columns:
            raise DataError(
                f"{place}: columns: {column!r} cannot be called {wanted!r}: the {split} split has such a column."
                f" Give that another name, too, as in {{{wanted}: {wanted}_before}}."
            )
    if not place.columns:
        return rows
    renamed = rows.rename_columns(dict(place.columns))
    remember_renamed(rows, renamed, split)
    return renamed


def _alike(parts: dict[DataPlace, Dataset], split: str) -> dict[DataPlace, Dataset]:
    """Return the parts with one type for each column: classes that differ as their names, other kinds joined."""
    for column in dict.fromkeys(name for rows in parts.values() for name in rows.column_names):
        having = {place: rows for place, rows in parts.items() if column in rows.column_names}
        if _differ(having, column):
            having = {place: class_texts(rows, column) for place, rows in having.items()}
        if _differ(having, column):
            having = _of_one_kind(having, column, split)
        parts = {**parts, **having}
    return parts


def _differ(parts: Mapping[DataPlace, Dataset], column: str) -> bool:
    features = [rows.features[column] for rows in parts.values()]
    return any(feature != features[0] for feature in features)


def _of_one_kind(parts: Mapping[DataPlace, Dataset], column: str, split: str) -> dict[DataPlace, Dataset]:
    joint, first = Kind(), next(iter(parts))
    values: dict[DataPlace, list[Any]] = {}
    for place, rows in parts.items():
        own = Kind()
        values[place] = list(rows.select_columns([column]).with_format(None)[column])
        for value in values[place]:
            own.see(value)
            joint.see(value)
        if _forms(joint) > 1 and _forms(own) < 2:
            raise DataError(
                f"{place}: column {column!r} of the {split} split holds {_in_words(own)}, and other things in {first}. "
                "Give it the same shape, or rename the column (columns: {NAME: OTHER})."
            )
    feature = joint.feature()
    log.info("%s split: column %r is of several types in the data sets and is read anew", split, column)
    found = {}
    for place, rows in parts.items():
        array = storage([joint.encode(value) for value in values[place]], feature)
        found[place] = with_column(rows, column, array, feature)
    return found


def with_column(rows: Dataset, column: str, values: Any, feature: FeatureType) -> Dataset:
    """Return rows with other values in a column.

    Args:
        rows: any.
        column: one of theirs.
        values: the Arrow array that stores them.
        feature: their type.
    """
    import pyarrow
    from datasets import Dataset, Features, concatenate_datasets
    from datasets.table import InMemoryTable

    table = pyarrow.table({column: values}, schema=Features({column: feature}).arrow_schema)
    others = [name for name in rows.column_names if name != column]
    changed = Dataset(InMemoryTable(table))
    if others:
        changed = concatenate_datasets([rows.select_columns(others), changed], axis=1)
    changed = changed.select_columns(rows.column_names)
    changed._fingerprint = xxhash.xxh3_128(f"{rows._fingerprint}\0{column}\0{feature}".encode()).hexdigest()
    return changed


def _forms(kind: Kind) -> int:
    return sum((bool(kind.scalars), kind.items is not None, kind.keys is not None))


def _in_words(kind: Kind) -> str:
    if kind.items is not None:
        return "lists"
    return "objects" if kind.keys is not None else " and ".join(sorted(kind.scalars)) or "nothing"


def take_apart(rows: Dataset) -> tuple[Dataset, dict[int, range]]:
    """Return rows without the column PLACE, and which of them are of each place; none where there is one place.

    Args:
        rows: of one split, those of a place together.
    """
    if PLACE not in rows.column_names:
        return rows, {}
    numbers = numpy.asarray(rows.select_columns([PLACE]).with_format("numpy")[:][PLACE])
    found = {}
    for place in dict.fromkeys(numbers.tolist()):
        own = numpy.flatnonzero(numbers == place)
        found[int(place)] = range(int(own[0]), int(own[-1]) + 1)
    return rows.remove_columns(PLACE), found


def without_place(rows: Dataset) -> Dataset:
    """Return rows without the column PLACE."""
    return rows.remove_columns(PLACE) if PLACE in rows.column_names else rows


def epoch_rows(sizes: Sequence[int], weights: Sequence[float], seed: int) -> list[list[int]]:
    """Return which rows of each place are in an epoch, by their numbers in the place.

    A place has the share of an epoch's rows that its weight is of all weights. The epoch is as short as it can be with
    each row of each place in it once at least: rows of the others come again, all of them equally often but for the
    remainder, which is drawn by the seed and is the same in each epoch.

    Args:
        sizes: rows of each place, 1 at least.
        weights: of each place, above 0.
        seed: of the remainder.
    """
    scale = max(size / weight for size, weight in zip(sizes, weights, strict=True))
    found = []
    for number, (size, weight) in enumerate(zip(sizes, weights, strict=True)):
        passes, rest = divmod(max(size, round(scale * weight)), size)
        drawn = numpy.random.default_rng([seed, number]).permutation(size)[:rest]
        found.append([*list(range(size)) * passes, *sorted(map(int, drawn))])
    return found


def mixed(
    parts: Mapping[int, range], places: Sequence[DataPlace], seed: int
) -> tuple[list[int] | None, dict[int, int]]:
    """Return the rows of an epoch, or None where each row comes once, and how many of them are of each place.

    Args:
        parts: number of a place -> its rows, see `take_apart`.
        places: all.
        seed: see `epoch_rows`.
    """
    held = {number: rows for number, rows in parts.items() if len(rows)}
    weights = [places[number].weight for number in held]
    known = [weight for weight in weights if weight is not None]
    if len(known) < len(weights):
        return None, {number: len(rows) for number, rows in held.items()}
    drawn = epoch_rows([len(rows) for rows in held.values()], known, seed)
    chosen = [rows[row] for rows, numbers in zip(held.values(), drawn, strict=True) for row in numbers]
    return chosen, {number: len(numbers) for number, numbers in zip(held, drawn, strict=True)}


def named(parts: Mapping[int, range], places: Sequence[DataPlace]) -> dict[str, range]:
    """Return which rows are of each place that has any, by the places' names."""
    return {places[number].name: rows for number, rows in parts.items()}


def require_deciding_rows(plan: Plan, parts: Mapping[str, range]) -> None:
    """Check that the place whose metric decides what is best (METRIC_FOR_BEST: accuracy@NAME) has rows to measure.

    Args:
        plan: for METRIC_FOR_BEST.
        parts: name of a place -> its rows of the validation split.

    Raises:
        InputError: it has none.
    """
    wanted = plan.training.metric_for_best or ""
    _, at, of = wanted.casefold().partition(OF_PLACE)
    if at and of not in map(str.casefold, parts):
        raise InputError(
            f"METRIC_FOR_BEST: {wanted!r}: no validation row is of this data set; they are of {', '.join(parts)}. Name "
            "one of these, give the data set a validation split, or leave out the name."
        )


def place_figures(
    places: Sequence[DataPlace], rows: Mapping[str, Mapping[int, range]], epoch: Mapping[int, int]
) -> dict[str, Statistic]:
    """Return what `result.json`, the card and `adapt check` say of each place.

    Args:
        places: all.
        rows: split -> number of a place -> its rows.
        epoch: number of a place -> examples of it in an epoch.
    """
    every = sum(epoch.values()) or 1
    return {
        place.name: {
            **{f"{split}_rows": len(parts.get(number, ())) for split, parts in rows.items()},
            **({"in_an_epoch": epoch.get(number, 0), "share": epoch.get(number, 0) / every} if epoch else {}),
        }
        for number, place in enumerate(places)
    }


def require_alike(rows: Dataset, split: str, form: Callable[[Dataset], object]) -> None:
    """Check that the rows of each place have the same form.

    Args:
        rows: as `load_splits` returned them.
        split: their split.
        form: rows -> their form, as a reader is told of it.

    Raises:
        DataError: those of one have another than those of the first; or `form` raises it. The message names the place.
    """
    first: tuple[str, object] | None = None
    for place, own in parts_of(rows, split):
        with naming(place):
            found = form(own)
        if first is not None and found != first[1]:
            raise DataError(
                f"{place}: the rows of the {split} split are {found}, and those of {first[0]} are {first[1]}. Give all "
                "places rows of one form, or name their columns alike (columns: {NAME: OTHER})."
            )
        first = first or (place, found)
