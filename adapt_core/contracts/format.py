"""A format of data: it recognises where it is written, and reads rows with their file and line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

import attrs

SHAPES: Mapping[str, tuple[str, ...]] = {
    "table": (),
    "text+label": ("text", "label"),
    "tokens+tags": ("tokens",),
    "question+context+answers": ("question", "context", "answers"),
    "document+summary": ("document", "summary"),
    "source+target": ("translation",),
    "conversation": ("messages",),
    "image+class": ("image", "label"),
    "image+boxes": ("image", "objects"),
    "image+masks": ("image", "objects"),
    "image+keypoints": ("image", "objects"),
}
"""The shapes of rows that adapt's tasks read, each with the columns that every row has.

A task of a third party may read another shape, which formats then name alike. docs/plugins.md says what the columns
hold.
"""

PREDICT = "predict"
"""The split of a file that `adapt predict` reads: answers, tags and targets may be missing, and no row is left out."""


@attrs.frozen(kw_only=True)
class Place:
    """Where the data of one split lies.

    Attributes:
        split: "train", "validation" or "test"; or PREDICT.
        root: CUSTOM_DATASET_PATH where that is a folder, else the folder of the first file.
        files: of the split, in their order: those with the suffixes of the format that is asked.
        named: the file that a key of the task names for the split (`train_ann_file`), whether or not it exists; None
            where none does.
        folder: TRAIN_DIR, VAL_DIR or TEST_DIR where that is a folder; else None.
        sheet: SHEET, the sheet of a file that has several; None where the key is not given.
    """

    split: str
    root: Path
    files: tuple[Path, ...] = ()
    named: str | None = None
    folder: Path | None = None
    sheet: str | None = None


@attrs.frozen
class Row:
    """A row with its place.

    Attributes:
        values: column -> value, as JSON has values: text, number, bool, None, list, mapping.
        file: the file that it is in.
        line: the line, from 1, at which it begins; None where the file has no lines.
        fault: why it cannot be used ("it has no label"), or None. `values` may then be empty.
        part: where it is in a file without lines ("sheet 'rows', row 5"), or None.
    """

    values: Mapping[str, Any]
    file: Path
    line: int | None = None
    fault: str | None = None
    part: str | None = None

    def __str__(self) -> str:
        where = str(self.file) if self.line is None else f"{self.file}:{self.line}"
        return where if self.part is None else f"{where}, {self.part}"


class Format(Protocol):
    """One way to write data into files. Constructed without arguments; one object reads any number of splits."""

    def recognise(self, place: Place) -> str | None:
        """Return by what a split shows that it is in this format, or None where it does not.

        The reason reads "its first line is ...". Files are opened at their beginning at most; neither torch nor pandas
        nor datasets is imported.
        """

    def read(self, place: Place) -> Iterable[Row]:
        """Yield the rows of a split in their order, the same ones at each call.

        The split may be one that `recognise` refuses: DATA_FORMAT names the format. A row that cannot be used is
        yielded with its fault: SKIP_BAD_ROWS decides whether it is dropped or ends the run.

        Raises:
            DataError: a file as a whole cannot be read as this format; the message names the file and the line.
        """
