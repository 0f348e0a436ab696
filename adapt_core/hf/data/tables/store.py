"""The Arrow file that a reader fills once and that later runs map into memory.

It is found by what the files contain, not by their names or times: changed data is read again, moved data is not.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import xxhash

from adapt_core.hf.data.cache import cache_folder
from adapt_core.run_folder.files import digest_of

if TYPE_CHECKING:
    import pyarrow
    from datasets import Dataset, Features

log = logging.getLogger(__name__)

_VERSION = "5"
_REMARKS = b"adapt remarks"


def fingerprint_of(paths: Sequence[Path], *how: str) -> str:
    """Return the fingerprint of files' contents, in their order, and of how they are read."""
    parts = [_VERSION, *how, *(f"{path.suffix.casefold()}:{digest_of(path)}" for path in paths)]
    return xxhash.xxh3_128("\0".join(parts).encode()).hexdigest()


@attrs.frozen
class Rows:
    """Rows that can be read.

    Attributes:
        features: of Hugging Face datasets.
        tables: gives the rows in batches, from the beginning at each call; each batch is cast to the features.
        remarks: what the user should know of how they are read; logged in each run, whether or not it reads them.
    """

    features: Features
    tables: Callable[[], Iterable[pyarrow.Table]]
    remarks: tuple[str, ...] = ()


def stored(digest: str, read: Callable[[], Rows]) -> Dataset:
    """Return rows as a memory-mapped data set, read where no earlier run has read the same.

    Args:
        digest: see `fingerprint_of`; it becomes the data set's fingerprint.
        read: called where they have not been read yet.
    """
    import pyarrow
    from datasets import Dataset

    file = cache_folder() / f"rows-{digest}.arrow"
    if not file.exists():
        _write(file, read())
    rows = Dataset.from_file(str(file))
    rows._fingerprint = digest
    with pyarrow.memory_map(str(file)) as source, pyarrow.ipc.open_stream(source) as stream:
        for remark in json.loads(stream.schema.metadata[_REMARKS]):
            log.info("%s", remark)
    return rows


def _write(file: Path, rows: Rows) -> None:
    import pyarrow
    from datasets.table import table_cast

    file.parent.mkdir(parents=True, exist_ok=True)
    schema = rows.features.arrow_schema
    metadata = {**(schema.metadata or {}), _REMARKS: json.dumps(rows.remarks).encode()}
    unfinished = file.with_suffix(f".{os.getpid()}.part")
    try:
        with unfinished.open("wb") as sink, pyarrow.ipc.new_stream(sink, schema.with_metadata(metadata)) as writer:
            for table in rows.tables():
                writer.write_table(table if table.schema.equals(schema) else table_cast(table, schema))
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)
