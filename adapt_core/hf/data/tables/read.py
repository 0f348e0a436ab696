"""The splits of a data set, read from the files of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from adapt_core.errors import DataError
from adapt_core.hf.data.tables import columnar, delimited, json_rows
from adapt_core.hf.data.tables.dialect import Dialect, recognise
from adapt_core.hf.data.tables.kinds import Kind, see_rows, storage
from adapt_core.hf.data.tables.store import Rows, fingerprint_of, stored

if TYPE_CHECKING:
    import pyarrow
    from datasets import Dataset

Files = Sequence[Path]
Splits = Mapping[str, Files]
Read = Callable[[Splits], "dict[str, Dataset]"]


def read_splits(files: Splits) -> dict[str, Dataset]:
    """Return the rows of each split.

    Types are decided over all splits of a kind of file, so that a value reads alike wherever it stands.

    Raises:
        DataError: naming the file and line that cannot be read.
    """
    readers: dict[Read, dict[str, Files]] = {}
    for split, paths in files.items():
        readers.setdefault(_reader(paths), {})[split] = paths
    read = {split: rows for reader, group in readers.items() for split, rows in reader(group).items()}
    return {split: read[split] for split in files}


def _reader(paths: Files) -> Read:
    suffixes = {path.suffix.casefold() for path in paths}
    found = {READERS[suffix] for suffix in suffixes}
    if len(found) > 1:
        raise DataError(
            f"{paths[0].parent} mixes kinds of file in one split: {', '.join(sorted(suffixes))}. Keep one kind."
        )
    for path in paths:
        if path.stat().st_size == 0:
            raise DataError(f"{path} is empty. Add rows, or remove the file.")
    return found.pop()


def _delimited(splits: Splits) -> dict[str, Dataset]:
    digests, seen = _joint_fingerprints(splits), _Cells(splits)
    return {split: stored(digests[split], partial(_cells, paths, seen)) for split, paths in splits.items()}


def _joint_fingerprints(splits: Splits) -> dict[str, str]:
    """Return the fingerprint of each split, of which the others' rows decide how it is read."""
    own = {split: fingerprint_of(paths) for split, paths in splits.items()}
    return {split: fingerprint_of((), digest, *own.values()) for split, digest in own.items()}


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
            types.see(path, dialect)
        return types


def _cells(paths: Files, seen: _Cells) -> Rows:
    from datasets import Features, Value

    dialects = {path: seen.dialects[path] for path in paths}
    columns = _same({path: delimited.header_of(path, dialect) for path, dialect in dialects.items()})
    features = Features({name: Value(seen.types.of(name)) for name in columns})
    batches = _Batches(paths, lambda path: delimited.batches(path, dialects[path], seen.types), features)
    return Rows(features, batches.tables, tuple(filter(None, map(delimited.remark, paths, dialects.values()))))


def _json(splits: Splits) -> dict[str, Dataset]:
    digests, seen = _joint_fingerprints(splits), _Kinds(splits)
    return {split: stored(digests[split], partial(_values, split, paths, seen)) for split, paths in splits.items()}


class _Kinds:
    """The kinds of all splits' columns; the files are read for them once, where any split has to be read."""

    def __init__(self, splits: Splits) -> None:
        self._splits = splits

    @cached_property
    def _columns(self) -> tuple[dict[str, Kind], dict[str, set[str]]]:
        kinds: dict[str, Kind] = {}
        names: dict[str, set[str]] = {}
        for split, paths in self._splits.items():
            names[split] = see_rows(kinds, chain.from_iterable(map(json_rows.json_rows, paths)))
        return kinds, names

    def of(self, split: str) -> dict[str, Kind]:
        """Return the kinds of the columns that a split has."""
        kinds, names = self._columns
        return {name: kind for name, kind in kinds.items() if name in names[split]}


def _values(split: str, paths: Files, seen: _Kinds) -> Rows:
    from datasets import Features

    kinds = seen.of(split)
    if not kinds:
        raise DataError(f"{paths[0]} contains no row. Add rows, or remove the file.")
    features = Features({name: kind.feature() for name, kind in kinds.items()})
    return Rows(features, _Batches(paths, lambda path: json_rows.batches(path, kinds), features).tables)


def _parquet(splits: Splits) -> dict[str, Dataset]:
    return {split: stored(fingerprint_of(paths), partial(_typed, paths)) for split, paths in splits.items()}


def _typed(paths: Files) -> Rows:
    features = _same({path: columnar.features_of(path) for path in paths})
    return Rows(features, lambda: chain.from_iterable(map(columnar.batches, paths)))


def _text(splits: Splits) -> dict[str, Dataset]:
    return {split: stored(fingerprint_of(paths), partial(_lines_of, paths)) for split, paths in splits.items()}


def _lines_of(paths: Files) -> Rows:
    from datasets import Features, Value

    features = Features({"text": Value("string")})
    return Rows(features, _Batches(paths, delimited.line_batches, features).tables)


READERS: Mapping[str, Read] = {
    ".csv": _delimited,
    ".tsv": _delimited,
    ".jsonl": _json,
    ".ndjson": _json,
    ".json": _json,
    ".parquet": _parquet,
    ".txt": _text,
}
"""Suffix -> what reads such files."""


@attrs.frozen
class _Batches:
    """The rows of several files as Arrow tables."""

    paths: Files
    read: Callable[[Path], Iterable[Mapping[str, list[Any]]]]
    features: Mapping[str, Any]

    def tables(self) -> Iterator[pyarrow.Table]:
        import pyarrow

        for path in self.paths:
            done = 0
            for columns in self.read(path):
                arrays = {name: self._array(path, done, name, values) for name, values in columns.items()}
                done += len(next(iter(columns.values())))
                yield pyarrow.table(arrays)

    def _array(self, path: Path, done: int, name: str, values: Sequence[object]) -> pyarrow.Array:
        try:
            return storage(values, self.features[name])
        except UnicodeEncodeError:
            raise DataError(
                f"{path}: column {name!r} contains half of a surrogate pair (\\ud800 to \\udfff) in one of the rows "
                f"{done + 1} to {done + len(values)}. Write the whole character."
            ) from None


def _same(columns: Mapping[Path, Any]) -> Any:
    """The columns that all files of a split have."""
    (first, expected), *others = columns.items()
    for path, found in others:
        if found != expected:
            raise DataError(
                f"{path} has other columns than {first.name}: {', '.join(found)} instead of {', '.join(expected)}. "
                "The files of one split need the same columns."
            )
    return expected
