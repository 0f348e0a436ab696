"""The lines of a CoNLL file: its sentences, their faults, and which columns have entity tags."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import dropwhile

import attrs

from adapt_nlp.formats.tag_schemes import Tag

MOST = 0.5
"""More than this share of the cells of the last column, or of sentences, decides what they are."""
_ALIKE = 0.95
"""Least share of tags in a column of entity tags that is not the last one."""

_DOCUMENT = "-DOCSTART-"
_NAMES = "# global.columns ="
_NUMBER = re.compile(r"(\d+)([-.]\d+)?")

Line = tuple[int, list[str]]
"""The number of a line, from 1, and its cells."""


@attrs.frozen
class Table:
    """The lines of a file.

    Attributes:
        sentences: lines of words.
        tabs: whether tabs separate the cells.
        names: of the columns, where the file has them, in small letters.
        width: the number of columns of most lines; 0 without any.
        numbered: whether the first column numbers the words of most sentences.
    """

    sentences: list[list[Line]]
    tabs: bool
    names: tuple[str, ...] = ()
    width: int = 0
    numbered: bool = False

    @property
    def words(self) -> int:
        """The column of words, from 0."""
        return 1 if self.numbered else 0

    @property
    def lines(self) -> list[list[str]]:
        """The cells of each word."""
        return [cells for sentence in self.sentences for _, cells in sentence]


def parsed(text: str) -> Table:
    """Return the lines of a file, without comments, and without those of several words (1-2) or of none (1.1)."""
    lines = [line.rstrip("\r") for line in text.split("\n")]
    tabs = any("\t" in line for line in lines if not line.startswith("#"))
    names = next((line.removeprefix(_NAMES).split() for line in lines[:1] if line.startswith(_NAMES)), [])
    sentences: list[list[Line]] = [[]]
    for number, line in enumerate(lines, start=1):
        cells = [cell.strip() for cell in line.split("\t")] if tabs else line.split()
        is_comment = line.startswith("# ") and not sentences[-1] and ((tabs and len(cells) == 1) or "=" in cells)
        if not line.strip() or cells[0] == _DOCUMENT:
            if sentences[-1]:
                sentences.append([])
        elif not is_comment:
            sentences[-1].append((number, cells))
    found = [sentence for sentence in sentences if sentence]
    widths = Counter(len(cells) for sentence in found for _, cells in sentence)
    width = max(widths, key=lambda width: widths[width], default=0)
    table = Table(found, tabs, tuple(name.casefold() for name in names), width)
    # Beside numbers, a line of "#" and an address is a comment too (GermEval 2014).
    bare = [list(dropwhile(lambda line: line[1][0].startswith("#"), sentence)) for sentence in table.sentences]
    if not _numbers(attrs.evolve(table, sentences=bare)):
        return table
    kept = [[line for line in sentence if not _is_joint(line[1][0])] for sentence in bare]
    return attrs.evolve(table, sentences=[sentence for sentence in kept if sentence], numbered=True)


def fault_of(table: Table, sentence: Sequence[Line], marked: Sequence[int]) -> tuple[int, str] | None:
    """Return the first line of a sentence that has not the columns of the file, and what it has; None without one.

    Args:
        table: of the file.
        sentence: of it.
        marked: the columns of entity tags.
    """
    width, separator = table.width, "tabs" if table.tabs else "spaces"
    for number, cells in sentence:
        if len(cells) != width or not all(cells):
            what = f"{len(cells)} columns" if len(cells) != width else "an empty cell"
            return number, (
                f"the line has {what}, and most of the file's have {width} columns, separated by {separator}. An empty "
                "line follows each sentence"
            )
        wrong = next((column for column in marked if Tag.of(cells[column], "") is None), None)
        if wrong is not None:
            return number, (
                f"column {wrong + 1} has {cells[wrong]!r}, which is no tag of an entity as the others are (B-TYPE, "
                "I-TYPE, O)"
            )
    return None


def without_faults(table: Table, marked: Sequence[int]) -> Table:
    """Return the sentences that have the columns of the file, and tags in the columns of entity tags."""
    return attrs.evolve(table, sentences=[one for one in table.sentences if fault_of(table, one, marked) is None])


def marked_columns(table: Table) -> list[int]:
    """Return the columns of entity tags, from 0."""
    whole = without_faults(table, ())
    return [column for column in range(table.words + 1, table.width) if _marks(whole, column)]


def tags_of(table: Table, column: int, file: str) -> list[list[Tag]]:
    """Return the tags of a column of faultless sentences.

    Args:
        table: with nothing but tags in the column.
        column: from 0.
        file: its name, for messages.
    """
    return [
        [tag for number, cells in sentence if (tag := Tag.of(cells[column], f"{file}:{number}")) is not None]
        for sentence in table.sentences
    ]


def _marks(table: Table, column: int) -> bool:
    """Return whether a column has entity tags: all are, or most where one marks an entity."""
    cells = [cells[column] for cells in table.lines]
    tags = [tag for cell in cells if (tag := Tag.of(cell, "")) is not None]
    if len(tags) == len(cells):
        return bool(cells)
    least = len(cells) * (MOST if column == table.width - 1 else _ALIKE)
    return len(tags) > least and any(tag.type for tag in tags)


def _numbers(table: Table) -> bool:
    """Return whether the first column numbers the words; in two columns, numbers with entity tags are the words."""
    whole = without_faults(table, ())
    if not whole.sentences or table.width < 2 or (table.width == 2 and _marks(whole, 1)):
        return False
    longer = table.width > 2 or any(len(sentence) > 1 for sentence in whole.sentences)
    return longer and sum(map(_counts, whole.sentences)) > MOST * len(whole.sentences)


def _counts(sentence: Sequence[Line]) -> bool:
    """Return whether the first cells count on by one, but for those as 1-2 and 1.1."""
    first = [cells[0] for _, cells in sentence]
    plain = [int(cell) for cell in first if not _is_joint(cell) and _NUMBER.fullmatch(cell)]
    joint = sum(map(_is_joint, first))
    return bool(plain) and len(plain) + joint == len(first) and plain == list(range(plain[0], plain[0] + len(plain)))


def _is_joint(cell: str) -> bool:
    found = _NUMBER.fullmatch(cell)
    return found is not None and found[2] is not None
