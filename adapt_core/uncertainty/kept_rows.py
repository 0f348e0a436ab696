"""`predictions.parquet` of a run folder: what the trained model predicts for each validation row."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs

from adapt_core.errors import InputError
from adapt_core.evaluated_rows import EvaluatedRows
from adapt_core.run_folder.claims import place_bytes
from adapt_core.run_folder.paths import RunFolder
from adapt_core.uncertainty.matched_objects import matches_of

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    Numbers: TypeAlias = NDArray[numpy.float64]

ContentsOf: TypeAlias = "Callable[[Sequence[int]], Iterable[Any]]"

LONGEST = 10_000
"""Characters of a text that are kept."""

_AT_ONCE = 1_000
"""Rows whose cells are in memory at once."""

_OVER, _UNDER, _COUNTS = ".over", ".under", ".counts"
_ANSWERS = ("expected", "predicted")
_KIND, _LABELS, _AVERAGED = b"adapt.kind", b"adapt.labels", b"adapt.averaged"


@attrs.frozen(eq=False)
class KeptRows:
    """What a run folder has of its validation rows.

    Attributes:
        kind: see `EvaluatedRows`.
        ids: of each row: the same in two runs where the row and what is expected of it are.
        columns: "row", "expected", "predicted", "confidence", "right" and "scores", those that there are -> a value of
            each row.
        ratios, counted, averaged: see `EvaluatedRows`.
        labels: the names of the scores.
    """

    kind: str
    ids: Sequence[str]
    columns: Mapping[str, Sequence[Any]]
    ratios: Mapping[str, tuple[Numbers, Numbers]]
    labels: tuple[str, ...] = ()
    counted: Mapping[str, Numbers] = attrs.field(factory=dict)
    averaged: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)


def keep_rows(
    folder: RunFolder, found: Sequence[EvaluatedRows], raw: Any, contents_of: ContentsOf | None = None
) -> EvaluatedRows | None:
    """Write what was found of each row, where the packages that write parquet are there (those of `adapt-core[hf]`).

    Of several the one is kept that predicts something of a row, rather than of tokens.

    Args:
        folder: of the run.
        found: of an evaluation.
        raw: the rows that were evaluated, by position, as `TaskData.rows` has them, or None.
        contents_of: positions -> a digest of each row, in place of `raw`; see `SupportsRowContents`.

    Returns:
        what was kept; None where there is nothing to keep of a row.
    """
    if not found or find_spec("pyarrow") is None:
        return None
    import pyarrow
    from pyarrow import parquet

    rows = next((each for each in found if any(one is not None for one in each.expected)), found[0])
    nothing = all(value is None for value in rows.expected)
    if nothing and not rows.ratios:
        return None
    columns: dict[str, Any] = {
        "row": [int(row) + 1 for row in rows.rows],
        "id": row_ids(rows, cells_of(raw, rows.rows) if contents_of is None else contents_of(rows.rows)),
        "expected": [_bounded(value) for value in rows.expected],
        "predicted": [_bounded(value) for value in rows.predicted],
        "confidence": rows.confidence,
        "right": rows.right,
        "scores": _lists(rows.scores),
    }
    for name, (over, under) in rows.ratios.items():
        columns |= {f"{name}{_OVER}": over, f"{name}{_UNDER}": under}
    columns |= {f"{name}{_COUNTS}": _lists(counts) for name, counts in rows.counted.items()}
    if nothing:
        del columns["expected"], columns["predicted"]
    table = pyarrow.table({name: values for name, values in columns.items() if values is not None})
    said = {_KIND: rows.kind, _LABELS: json.dumps(rows.labels), _AVERAGED: json.dumps(rows.averaged)}
    stream = pyarrow.BufferOutputStream()
    parquet.write_table(table.replace_schema_metadata(said), stream, compression="zstd")
    place_bytes(folder.path, folder.rows.name, stream.getvalue().to_pybytes())
    return rows


def read_rows(folder: RunFolder) -> KeptRows | None:
    """Return what a run folder has of its validation rows, or None. The file is read as data alone.

    Raises:
        InputError: it cannot be read.
    """
    if not folder.rows.is_file() or find_spec("pyarrow") is None:
        return None
    from pyarrow import parquet

    try:
        table = parquet.read_table(folder.rows)
        said = table.schema.metadata or {}
        columns = {name: table.column(name) for name in table.column_names}
        ids = columns.pop("id").to_pylist()
        measured = [name.removesuffix(_OVER) for name in columns if name.endswith(_OVER)]
        ratios = {
            name: (_numbers(columns.pop(f"{name}{_OVER}")), _numbers(columns.pop(f"{name}{_UNDER}")))
            for name in measured
        }
        labels, averaged = (tuple(map(str, json.loads(said.get(key, b"[]")))) for key in (_LABELS, _AVERAGED))
        counted = {name.removesuffix(_COUNTS): name for name in columns if name.endswith(_COUNTS)}
        counts = {name: _table(columns.pop(column)) for name, column in counted.items()}
        plain = {name: column.to_pylist() for name, column in columns.items()}
        kind = said[_KIND].decode()
        if kind == "class" and not all(isinstance(name, str) for each in _ANSWERS for name in plain[each]):
            raise ValueError("its classes are no names")
        if kind == "objects":
            matches_of(plain["expected"], plain["predicted"])
        return KeptRows(kind, ids, plain, ratios, labels, counts, averaged)
    except (OSError, ValueError, KeyError, TypeError) as error:  # pyarrow's own errors are ValueErrors
        raise InputError(
            f"{folder.rows} cannot be read ({' '.join(str(error).split())[:200]}). Delete it, or run again."
        ) from None


def row_ids(rows: EvaluatedRows, contents: Iterable[Any]) -> list[str]:
    """Return an id of each row: the same where what is in it and what is expected of it are, in whatever run.

    Args:
        rows: of an evaluation.
        contents: of each row, what is in it: cells, a digest, or None where that is not known.
    """
    from xxhash import xxh3_64_hexdigest

    counts = [under.tolist() for _, under in rows.ratios.values()] if rows.kind == "tokens" else []
    return [
        xxh3_64_hexdigest(json.dumps([expected, held, [each[number] for each in counts]], default=str).encode())
        for number, (expected, held) in enumerate(zip(rows.expected, contents, strict=True))
    ]


def cells_of(raw: Any, positions: Sequence[int]) -> Iterator[Any]:
    """Yield the cells of rows that are texts, numbers, or lists or mappings of such; None of each without any.

    Args:
        raw: see `keep_rows`; its images are left out, for they would be decoded.
        positions: of the rows.
    """
    features = getattr(raw, "features", None) or {}
    plain = sorted(name for name, feature in features.items() if _is_plain(feature))
    if not plain or not positions or max(positions) >= len(raw):
        yield from itertools.repeat(None, len(positions))
        return
    cells = raw.select_columns(plain)
    for start in range(0, len(positions), _AT_ONCE):
        part = cells[list(positions[start : start + _AT_ONCE])]
        yield from zip(*(part[name] for name in plain), strict=True)


def _is_plain(feature: Any) -> bool:
    """Return whether a feature of datasets is a text or number, or a list or mapping of nothing else."""
    if isinstance(feature, Mapping):
        return all(map(_is_plain, feature.values()))
    if isinstance(feature, list):
        return all(map(_is_plain, feature))
    inner = getattr(feature, "feature", None)  # of a List, LargeList or Sequence
    return _is_plain(inner) if inner is not None else type(feature).__name__ in ("Value", "ClassLabel")


def _numbers(column: Any) -> Numbers:
    """Return a column as floats, NaN for null."""
    import numpy

    return numpy.asarray(column.to_numpy(), dtype=numpy.float64)


def _table(column: Any) -> Numbers:
    """Return a column of lists of one length as floats (rows, length)."""
    import numpy

    table = numpy.array(column.to_pylist(), dtype=numpy.float64)
    if table.ndim != 2:
        raise ValueError("its counts are no table")
    return table


def _lists(scores: NDArray[Any] | None) -> Any:
    """Return scores (rows, outputs) as a column of lists."""
    import pyarrow

    if scores is None or not scores.size:
        return None
    return pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(scores.ravel()), scores.shape[1])


def _bounded(value: Any) -> Any:
    return value[:LONGEST] if isinstance(value, str) else value
