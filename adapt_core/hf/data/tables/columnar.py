"""parquet: columns with the types, and the class names, that the file declares."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapt_core.errors import DataError

if TYPE_CHECKING:
    import pyarrow

BATCH = 10_000


def features_of(path: Path) -> Any:
    """Return the features of Hugging Face datasets that a file declares, or that its types mean.

    Raises:
        DataError: it is not a parquet file.
    """
    from datasets import Features

    return Features.from_arrow_schema(_schema(path))


def columns_of(path: Path) -> dict[str, list[str]]:
    """Return the names of a file's columns, each with the fields of its cells, none where they are no structs.

    Raises:
        DataError: it is not a parquet file.
    """
    from pyarrow import StructType

    kinds = {field.name: field.type for field in _schema(path)}
    return {
        name: [kind.field(number).name for number in range(kind.num_fields)] if isinstance(kind, StructType) else []
        for name, kind in kinds.items()
    }


def _schema(path: Path) -> pyarrow.Schema:
    from pyarrow import ArrowException, parquet

    try:
        return parquet.read_schema(path)
    except (ArrowException, OSError, ValueError) as error:
        raise DataError(
            f"{path} cannot be read as parquet: {' '.join(str(error).split())[:300]} (Write the file again.)"
        ) from None


def batches(path: Path) -> Iterator[pyarrow.Table]:
    """Yield a file's rows.

    Raises:
        DataError: the file is damaged.
    """
    import pyarrow
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=BATCH):
                yield pyarrow.Table.from_batches([batch])
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(
            f"{path} cannot be read: {' '.join(str(error).split())[:300]} (Write the file again.)"
        ) from None
