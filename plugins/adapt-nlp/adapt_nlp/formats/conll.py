"""CoNLL files: a word on each line with its tags in further columns, and an empty line after each sentence.

Columns are separated by tabs, or by spaces where the file has no tab. A line `-DOCSTART-` begins a document. The first
column holds the words. Of the others, the last one with entity tags (B-PER, I-PER, O) is `ner_tags`, or `chunk_tags`
where its types are phrases (NP, VP); one before it with tags of phrases is `chunk_tags`; and the second column is
`pos_tags` where its tags mark no entities. Any other column is `column_3`, by its number from 1.
`# global.columns = FORM UPOS` names them all (CoNLL-U Plus). Entity tags are given in IOB2, whichever scheme the file
has.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import attrs

from adapt_core.contracts.format import Place, Row
from adapt_core.errors import DataError
from adapt_core.hf.data.tables.dialect import utf8

from adapt_nlp.formats.tag_schemes import SchemeError, Tag, as_iob2, scheme_of

OWN_SUFFIXES = (".conll", ".bio", ".iob", ".iob2", ".bioes", ".bilou")
"""Suffixes that no other format has: such a file needs no entity tags to be recognised."""

_DOCUMENT = "-DOCSTART-"
_NAMES = "# global.columns ="
_BEGINNING = 64_000
_ALIKE = 0.95
"""Least share of sentences without a fault by which a file of any text is recognised."""
_KNOWN = {
    **dict.fromkeys(("form", "token", "word"), "tokens"),
    **{name: f"{name}_tags" for name in ("ner", "pos", "chunk")},
}
"""Names of columns in files -> those of the task."""

_PHRASES = frozenset(["NP", "VP", "PP", "ADVP", "ADJP", "SBAR", "PRT", "CONJP", "INTJ", "LST", "UCP"])

Line = tuple[int, list[str]]
"""The number of a line, from 1, and its cells."""


@attrs.frozen(slots=False)
class _Table:
    """The lines of a file.

    Attributes:
        sentences: lines of words.
        tabs: whether tabs separate the cells.
        names: of the columns, where the file has them.
    """

    sentences: list[list[Line]]
    tabs: bool
    names: tuple[str, ...] = ()

    @cached_property
    def width(self) -> int:
        """The number of columns of most lines; 0 without any."""
        widths = Counter(len(cells) for sentence in self.sentences for _, cells in sentence)
        return max(widths, key=lambda width: widths[width], default=0)


class Conll:
    """The format."""

    def recognise(self, place: Place) -> str | None:
        """Return columns, separator and scheme of the beginning of the first file, where it has sentences of words."""
        path = place.files[0]
        with path.open("rb") as file:
            content = file.read(_BEGINNING)
        try:
            # What is cut off may be a part of a line, or of a letter.
            text = (content if len(content) < _BEGINNING else content.rpartition(b"\n")[0]).decode("utf-8-sig")
        except UnicodeDecodeError:
            return None
        every = _table(text)
        width = every.width
        table = _without_faults(every)
        tags = _tags(table, width - 1, path)
        certain = tags is not None and len(table.sentences) >= _ALIKE * len(every.sentences)
        if width < 2 or not (certain or path.suffix.casefold() in OWN_SUFFIXES):
            return None
        try:
            scheme = f", entity tags in {scheme_of(tags)}" if tags is not None else ""
        except SchemeError:
            scheme = ""  # `read` says what is wrong
        separator = "tabs" if table.tabs else "spaces"
        return f"{path.name}: a word on each line with {width} columns, separated by {separator}{scheme}"

    def read(self, place: Place) -> Iterator[Row]:
        """Yield the sentences: `tokens` and a list for each further column, or the fault of a line."""
        for path in place.files:
            with utf8(path):
                table = _table(path.read_text(encoding="utf-8-sig"))
            if not table.sentences:
                raise DataError(f"{path} has no sentence. Write a word and its tag on each line.")
            _check_names(path, table)
            columns, number = _columns(path, _without_faults(table)), 0
            for sentence in table.sentences:
                fault = _fault(table, sentence)
                if fault is not None:
                    yield Row({}, path, *fault)
                else:
                    yield Row({name: values[number] for name, values in columns.items()}, path, sentence[0][0])
                    number += 1


def _table(text: str) -> _Table:
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
    return _Table([sentence for sentence in sentences if sentence], tabs, tuple(name.casefold() for name in names))


def _fault(table: _Table, sentence: Sequence[Line]) -> tuple[int, str] | None:
    """Return the first line of a sentence that has not the columns of the file, and what it has; None without one."""
    width, separator = table.width, "tabs" if table.tabs else "spaces"
    for number, cells in sentence:
        if len(cells) != width or not all(cells):
            what = f"{len(cells)} columns" if len(cells) != width else "an empty cell"
            return number, (
                f"the line has {what}, and most of the file's have {width} columns, separated by {separator}. An empty "
                "line follows each sentence"
            )
    return None


def _without_faults(table: _Table) -> _Table:
    return attrs.evolve(table, sentences=[one for one in table.sentences if _fault(table, one) is None])


def _check_names(path: Path, table: _Table) -> None:
    width = table.width
    if table.names and len(table.names) != width:
        raise DataError(
            f"{path}:1: global.columns names {len(table.names)} columns, and the lines have {width}. Correct the line."
        )
    twice = [name for name, count in Counter(_KNOWN.get(name, name) for name in table.names).items() if count > 1]
    if twice:
        raise DataError(f"{path}:1: global.columns has two columns that are {twice[0]}. Rename one of them.")


def _columns(path: Path, table: _Table) -> dict[str, list[list[str]]]:
    """Return the cells of each column by its name, a list for each sentence; entity tags in IOB2."""
    tags = {column: _tags(table, column, path) for column in range(1, table.width)}
    names = _names(table, tags)
    columns: dict[str, list[list[str]]] = {}
    for column, name in enumerate(names):
        found = tags.get(column)
        if found is None:
            columns[name] = [[cells[column] for _, cells in sentence] for sentence in table.sentences]
            continue
        try:
            scheme_of(found)
        except SchemeError as error:
            raise DataError(
                f"{path}: column {column + 1}: {error}. Write the tags of the file in one scheme: IOB1, IOB2, BIOES or "
                "BILOU."
            ) from None
        columns[name] = [as_iob2(sentence) for sentence in found]
    return columns


def _names(table: _Table, tags: dict[int, list[list[Tag]] | None]) -> list[str]:
    if table.names:
        return [_KNOWN.get(name, name) for name in table.names]
    names = ["tokens", *(f"column_{number}" for number in range(2, table.width + 1))]
    marked = [column for column, found in tags.items() if found is not None]
    for column in marked:
        if _is_phrases(tags[column]):
            names[column] = "chunk_tags"
    if marked and names[marked[-1]] != "chunk_tags":
        names[marked[-1]] = "ner_tags"
    if table.width > 1 and 1 not in marked:
        names[1] = "pos_tags"
    return names


def _is_phrases(tags: Sequence[Sequence[Tag]] | None) -> bool:
    types = {tag.type for sentence in tags or () for tag in sentence if tag.type}
    return bool(types) and types <= _PHRASES


def _tags(table: _Table, column: int, path: Path) -> list[list[Tag]] | None:
    """Return a column as entity tags, or None where a cell is none or all are outside of entities."""
    found: list[list[Tag]] = []
    for sentence in table.sentences:
        tags = [Tag.of(cells[column], f"{path.name}:{number}") for number, cells in sentence]
        if None in tags:
            return None
        found.append([tag for tag in tags if tag is not None])
    last = column == table.width - 1
    return found if last or any(tag.type for tags in found for tag in tags) else None
