"""The rows of one split in several files: their columns, their types, their batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from adapt_core.errors import DataError
from adapt_core.hf.data.tables.kinds import Kind, see_rows, storage
from adapt_core.hf.data.tables.store import Rows, fingerprint_of

if TYPE_CHECKING:
    import pyarrow

Files = Sequence[Path]
Splits = Mapping[str, Files]
ReadFile = Callable[[Path], Iterable[Mapping[str, list[Any]]]]
"""A file -> its rows in batches of columns."""


def joint_fingerprints(splits: Splits) -> dict[str, str]:
    """Return the fingerprint of each split, of which the others' rows decide how it is read."""
    own = {split: fingerprint_of(paths) for split, paths in splits.items()}
    return {split: fingerprint_of((), digest, *own.values()) for split, digest in own.items()}


class JointKinds:
    """The kinds of all splits' columns, over the rows of all; these are read for them once, where any split needs it.

    Args:
        rows: split -> gives its rows, from the beginning at each call.
    """

    def __init__(self, rows: Mapping[str, Callable[[], Iterable[Mapping[str, Any]]]]) -> None:
        self._rows = rows

    @cached_property
    def _columns(self) -> tuple[dict[str, Kind], dict[str, set[str]]]:
        kinds: dict[str, Kind] = {}
        names: dict[str, set[str]] = {}
        for split, rows in self._rows.items():
            names[split] = see_rows(kinds, rows())
        return kinds, names

    def of(self, split: str, file: Path) -> dict[str, Kind]:
        """Return the kinds of the columns that a split has.

        Args:
            split: its name.
            file: its first, for the message.

        Raises:
            DataError: it has no row.
        """
        kinds, names = self._columns
        if not names[split]:
            raise DataError(f"{file} contains no row. Add rows, or remove the file.")
        return {name: kind for name, kind in kinds.items() if name in names[split]}


def encoded_rows(kinds: Mapping[str, Kind], paths: Files, read: ReadFile) -> Rows:
    """Return batches of encoded columns as rows.

    Args:
        kinds: of the columns.
        paths: the files.
        read: gives the batches of a file.
    """
    from datasets import Features

    features = Features({name: kind.feature() for name, kind in kinds.items()})
    return Rows(features, Batches(paths, read, features).tables)


@attrs.frozen
class Batches:
    """The rows of several files as Arrow tables."""

    paths: Files
    read: ReadFile
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


def same_columns(columns: Mapping[Path, Any]) -> Any:
    """The columns that all files of a split have."""
    (first, expected), *others = columns.items()
    for path, found in others:
        if found != expected:
            raise DataError(
                f"{path} has other columns than {first.name}: {', '.join(found)} instead of {', '.join(expected)}. "
                "The files of one split need the same columns."
            )
    return expected
