"""The formats of tables: what core registers through `adapt_formats`. Each is a `TableFormat`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property, partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from adapt_core.contracts.format import Place, Row
from adapt_core.errors import DataError, first_of
from adapt_core.hf.data.tables import columnar, delimited, json_rows
from adapt_core.hf.data.tables.batches import (
    Batches,
    Files,
    JointKinds,
    Splits,
    encoded_rows,
    joint_fingerprints,
    same_columns,
)
from adapt_core.hf.data.tables.column_names import Columns, Suffices, columns_of_rows
from adapt_core.hf.data.tables.dialect import Dialect, recognise, sampled
from adapt_core.hf.data.tables.store import Rows, fingerprint_of, stored

if TYPE_CHECKING:
    from datasets import Dataset

_ASKED = 5
"""Files of a split whose dialect is told."""


def _files(places: Mapping[str, Place]) -> dict[str, Files]:
    return {split: place.files for split, place in places.items()}


class _BySuffix:
    """A format that is known by the suffix of its files."""

    def recognise(self, place: Place) -> str | None:
        """Return which suffixes the files have; None where there is no file."""
        if not place.files:
            return None
        suffixes = dict.fromkeys(path.suffix.casefold() for path in place.files)
        return f"{first_of(path.name for path in place.files)}: the suffix is {' or '.join(suffixes)}"


class Delimited(_BySuffix):
    """csv and tsv, in whatever dialect."""

    def recognise(self, place: Place) -> str | None:
        """Return which suffixes the files have, and the dialects that the beginnings of the first ones show."""
        by_suffix = super().recognise(place)
        try:
            dialects = dict.fromkeys(str(sampled(path)) for path in place.files[:_ASKED])
        except DataError:
            return by_suffix  # What is wrong with a file is told as it is read.
        return by_suffix and "; ".join([by_suffix, *dialects])

    def read(self, place: Place) -> Iterator[Row]:
        """Yield the rows with the types of these files; see `Format`."""
        seen = _Cells({place.split: place.files})
        for path, dialect in seen.dialects.items():
            names = delimited.header_of(path, dialect)
            for line, cells in delimited.content_of(path, dialect):
                yield Row(delimited.values_of(names, cells, seen.types), path, line)

    def tables(self, places: Mapping[str, Place]) -> dict[str, Dataset]:
        """Return the rows of each split; types are decided over all."""
        splits = _files(places)
        digests, seen = joint_fingerprints(splits), _Cells(splits)
        return {split: stored(digests[split], partial(_cells, paths, seen)) for split, paths in splits.items()}

    def columns(self, place: Place, suffices: Suffices) -> Columns:
        """Return the names in the header; all of the first file is read where its beginning does not suffice."""
        first = place.files[0]
        names: Columns = dict.fromkeys(_usual_header(first), ())
        return names if suffices(names) else dict.fromkeys(delimited.header_of(first, recognise(first)), ())


class _Cells:
    """Dialects and column types of all splits; the files are read for them once, where any split has to be read."""

    def __init__(self, splits: Splits) -> None:
        self._splits = splits

    @cached_property
    def dialects(self) -> dict[Path, Dialect]:
        """The dialect of each file."""
        return {path: recognise(path) for paths in self._splits.values() for path in paths}

    @cached_property
    def types(self) -> delimited.ColumnTypes:
        """The types over all files."""
        types = delimited.ColumnTypes()
        for path, dialect in self.dialects.items():
            names = delimited.header_of(path, dialect)
            types.see(names, self.cells(path))
        return types

    def cells(self, path: Path) -> Iterator[list[str]]:
        """Yield the cells of each row of a file."""
        return (cells for _, cells in delimited.content_of(path, self.dialects[path]))


def _cells(paths: Files, seen: _Cells) -> Rows:
    from datasets import Features, Value

    dialects = {path: seen.dialects[path] for path in paths}
    columns = same_columns({path: delimited.header_of(path, dialect) for path, dialect in dialects.items()})
    features = Features({name: Value(seen.types.of(name)) for name in columns})
    batches = Batches(paths, lambda path: delimited.batches(columns, seen.cells(path), seen.types), features)
    told = (delimited.remark(path, dialect) for path, dialect in dialects.items())
    return Rows(features, batches.tables, tuple(filter(None, told)))


def _usual_header(path: Path) -> list[str]:
    """Return the header of a file that is written as its first rows seem to be; nothing where it is not."""
    try:
        return delimited.header_of(path, sampled(path))
    except DataError:
        return []


class Json(_BySuffix):
    """Rows as JSON objects: one on each line, or a list of them."""

    def read(self, place: Place) -> Iterator[Row]:
        """Yield the rows; see `Format`."""
        for path in place.files:
            for line, values in json_rows.placed_rows(path):
                yield Row(values, path, line)

    def tables(self, places: Mapping[str, Place]) -> dict[str, Dataset]:
        """Return the rows of each split; types are decided over all."""
        splits = _files(places)
        digests = joint_fingerprints(splits)
        seen = JointKinds({split: partial(_json_rows, paths) for split, paths in splits.items()})
        return {split: stored(digests[split], partial(_values, split, paths, seen)) for split, paths in splits.items()}

    def columns(self, place: Place, suffices: Suffices) -> Columns | None:
        """Return the keys of the rows up to that which suffices; of a document, those at its head where they do."""
        first = place.files[0]
        if first.suffix.casefold() not in json_rows.LINES:
            head = columns_of_rows(json_rows.head_rows(first), suffices)
            if suffices(head):
                return head
        return columns_of_rows(_json_rows(place.files), suffices) or None


def _json_rows(paths: Files) -> Iterator[json_rows.Row]:
    return chain.from_iterable(map(json_rows.json_rows, paths))


def _values(split: str, paths: Files, seen: JointKinds) -> Rows:
    kinds = seen.of(split, paths[0])
    return encoded_rows(kinds, paths, lambda path: json_rows.batches(path, kinds))


class Parquet(_BySuffix):
    """Columns with types that the file declares."""

    def read(self, place: Place) -> Iterator[Row]:
        """Yield the rows, without lines; see `Format`."""
        for path in place.files:
            for table in columnar.batches(path):
                for values in table.to_pylist():
                    yield Row(values, path)

    def tables(self, places: Mapping[str, Place]) -> dict[str, Dataset]:
        """Return the rows of each split."""
        splits = _files(places)
        return {split: stored(fingerprint_of(paths), partial(_typed, paths)) for split, paths in splits.items()}

    def columns(self, place: Place, suffices: Suffices) -> Columns:
        """Return the names in the schema."""
        return columnar.columns_of(place.files[0])


def _typed(paths: Files) -> Rows:
    features = same_columns({path: columnar.features_of(path) for path in paths})
    return Rows(features, lambda: chain.from_iterable(map(columnar.batches, paths)))


class Text(_BySuffix):
    """Plain text: each line is a row with the column "text"."""

    def read(self, place: Place) -> Iterator[Row]:
        """Yield the lines; see `Format`."""
        for path in place.files:
            lines = (text for batch in delimited.line_batches(path) for text in batch["text"])
            for number, text in enumerate(lines, start=1):
                yield Row({"text": text}, path, number)

    def tables(self, places: Mapping[str, Place]) -> dict[str, Dataset]:
        """Return the lines of each split."""
        splits = _files(places)
        return {split: stored(fingerprint_of(paths), partial(_lines_of, paths)) for split, paths in splits.items()}

    def columns(self, place: Place, suffices: Suffices) -> Columns:
        """Return the one column."""
        return {"text": ()}


def _lines_of(paths: Files) -> Rows:
    from datasets import Features, Value

    features = Features({"text": Value("string")})
    return Rows(features, Batches(paths, delimited.line_batches, features).tables)
