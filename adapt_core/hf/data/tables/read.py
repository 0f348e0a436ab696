"""The splits of a data set, each in the format that recognises it or that DATA_FORMAT names."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import xxhash

from adapt_core.config.plan import FormatChoice
from adapt_core.contracts.format import PREDICT, Format, Place, Row
from adapt_core.contracts.recognition import Recognised
from adapt_core.errors import DataError
from adapt_core.hf.data.formats import TableFormat, recognise_splits
from adapt_core.hf.data.row_places import good_rows, remember
from adapt_core.hf.data.tables.batches import JointKinds, Splits, encoded_rows
from adapt_core.hf.data.tables.kinds import Kind
from adapt_core.hf.data.tables.store import Rows, stored

if TYPE_CHECKING:
    from datasets import Dataset

_BATCH = 10_000

log = logging.getLogger(__name__)


def read_splits(
    files: Splits,
    formats: Sequence[FormatChoice] | None = None,
    named: str | None = None,
    sheet: str | None = None,
    *,
    skip: bool = False,
) -> dict[str, Dataset]:
    """Return the rows of each split.

    Types are decided over all splits of one format, so that a value reads alike wherever it stands.

    Args:
        files: of each split.
        formats: see `recognise_splits`.
        named: DATA_FORMAT.
        sheet: SHEET.
        skip: SKIP_BAD_ROWS: drop the rows that a format yields with a fault, instead of stopping at the first.

    Raises:
        InputError: two formats recognise a split, or none does.
        DataError: naming the file and line that cannot be read.
    """
    groups: dict[str, dict[str, Recognised]] = {}
    for split, found in recognise_splits(files, formats, named, sheet).items():
        groups.setdefault(found.choice.name, {})[split] = found
    read: dict[str, Dataset] = {}
    for group in groups.values():
        reader, dropped = next(iter(group.values())).format, dict[str, int]()
        if isinstance(reader, TableFormat):
            read |= reader.tables({split: found.place for split, found in group.items()})
        else:
            places = {split: found.place for split, found in group.items()}
            checked = {split: _check_rows(reader, place, skip=skip) for split, place in places.items()}
            read |= _row_tables(reader, places, {split: digest for split, (digest, _) in checked.items()})
            dropped = {split: count for split, (_, count) in checked.items()}
        for split, found in group.items():
            remember(read[split], found, dropped.get(split, 0))
    return {split: read[split] for split in files}


def _row_tables(reader: Format, places: Mapping[str, Place], digests: Mapping[str, str]) -> dict[str, Dataset]:
    """Return the rows that a format yields, as if each were a line of JSON.

    They are found again by what they hold: a format may read files beside those that it names.
    """
    seen = JointKinds({split: partial(_row_values, reader, place) for split, place in places.items()})
    found = {}
    for split, place in places.items():
        own = xxhash.xxh3_128("\0".join(["rows", digests[split], *digests.values()]).encode()).hexdigest()
        found[split] = stored(own, partial(_rows, reader, place, seen))
    return found


def _check_rows(reader: Format, place: Place, *, skip: bool) -> tuple[str, int]:
    """Return a digest of the good rows of a split, and the number of rows dropped, which is logged.

    Raises:
        DataError: a row is bad and not skipped.
    """
    digest, bad = xxhash.xxh3_128(), list[Row]()
    for row in reader.read(place):
        if row.fault is None:
            digest.update(json.dumps(row.values).encode())
        elif skip:
            bad.append(row)
        else:
            drop = f", or --set SKIP_BAD_ROWS=true to drop such rows of the {place.split} split"
            raise DataError(f"{row}: {row.fault}. Correct the row{'' if place.split == PREDICT else drop}.")
    if bad:
        told = f"{place.split} split: {'1 row is' if len(bad) == 1 else f'{len(bad)} rows are'} dropped (SKIP_BAD_ROWS)"
        log.warning("%s, the first: %s: %s", told, bad[0], bad[0].fault)
    return digest.hexdigest(), len(bad)


def _row_values(reader: Format, place: Place) -> Iterator[Mapping[str, Any]]:
    return (row.values for row in good_rows(reader, place))


def _rows(reader: Format, place: Place, seen: JointKinds) -> Rows:
    first = place.files[0] if place.files else place.root
    kinds = seen.of(place.split, first)
    return encoded_rows(kinds, [first], lambda _: _batches(_row_values(reader, place), kinds))


def _batches(rows: Iterator[Mapping[str, Any]], kinds: Mapping[str, Kind]) -> Iterator[dict[str, list[Any]]]:
    while batch := list(islice(rows, _BATCH)):
        yield {name: [kind.encode(row.get(name)) for row in batch] for name, kind in kinds.items()}
