"""CoNLL files: a word on each line with its tags in further columns, and an empty line after each sentence.

Columns are separated by tabs, or by spaces where the file has no tab. A line `-DOCSTART-` begins a document. The first
column holds the words, or the second where the first one numbers them (`id`); lines numbered `1-2` or `1.1`, of several
words or of none, are left out. Of the others, the last one with entity tags (B-PER, I-PER, O) is `ner_tags`, or
`chunk_tags` where its types are phrases (NP, VP); one before it with tags of phrases is `chunk_tags`; and the column
after the words is `pos_tags` where its tags mark no entities. Where all columns after the words have entity tags, the
first is `ner_tags`, and the others have entities inside of these (GermEval 2014). Any other column is `column_3`, by
its number from 1. Ten columns of numbered words are those of CoNLL-U; `# global.columns = FORM UPOS` names the columns
(CoNLL-U Plus). Entity tags are given in IOB2, whichever scheme the file has.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from adapt_core.contracts.format import Place, Row
from adapt_core.errors import DataError
from adapt_core.hf.data.tables.encodings import decoded

from adapt_nlp.formats.tag_schemes import SchemeError, Tag, as_iob2, scheme_of
from adapt_nlp.formats.word_table import MOST, Table, fault_of, marked_columns, parsed, tags_of, without_faults

OWN_SUFFIXES = (".conll", ".bio", ".iob", ".iob2", ".bioes", ".bilou")
"""Suffixes that no other format has: such a file needs no entity tags to be recognised."""

_BEGINNING = 64_000
_KNOWN = {
    **dict.fromkeys(("form", "token", "word"), "tokens"),
    "upos": "pos_tags",
    **{name: f"{name}_tags" for name in ("ner", "pos", "chunk")},
}
"""Names of columns in files -> those of the task."""

_CONLLU = ("id", "tokens", "lemma", "pos_tags", "xpos", "feats", "head", "deprel", "deps", "misc")
_PHRASES = frozenset(["NP", "VP", "PP", "ADVP", "ADJP", "SBAR", "PRT", "CONJP", "INTJ", "LST", "UCP", "NC", "VC", "PC"])
_JOINED = re.compile(r".+[,;|]([BIESLU]-.+|O)")
"""A word and a tag that neither a tab nor a space separates."""


class Conll:
    """The format."""

    def recognise(self, place: Place) -> str | None:
        """Return columns, separator and scheme of the beginning of the first file, where it has sentences of words."""
        path = place.files[0]
        own = path.suffix.casefold() in OWN_SUFFIXES
        with path.open("rb") as file:
            content = file.read(_BEGINNING)
        try:
            with decoded(path):
                # What is cut off may be a part of a line, or of a letter.
                text = (content if len(content) < _BEGINNING else content.rpartition(b"\n")[0]).decode("utf-8-sig")
        except DataError:
            if own:
                raise
            return None
        every = parsed(text)
        width, lines = every.width, every.lines
        table = without_faults(every, ())
        tagged = sum(len(cells) == width and Tag.of(cells[-1], "") is not None for cells in lines)
        certain = width > 1 and width - 1 in marked_columns(every) and tagged > MOST * len(lines)
        joined = width == 1 and sum(_JOINED.fullmatch(cells[0]) is not None for cells in lines) > MOST * len(lines)
        if not lines or joined or not (certain or own):
            return None
        if width == 1:
            return f"{path.name}: a word on each line, without tags"
        separator = "tabs" if table.tabs else "spaces"
        return f"{path.name}: a word on each line with {width} columns, separated by {separator}{_scheme(table)}"

    def read(self, place: Place) -> Iterator[Row]:
        """Yield the sentences: `tokens` and a list for each further column, or the fault of a line."""
        for path in place.files:
            with decoded(path):
                table = parsed(path.read_text(encoding="utf-8-sig"))
            if not table.sentences:
                raise DataError(f"{path} has no sentence. Write a word and its tag on each line.")
            _check_names(path, table)
            marked = marked_columns(table)
            columns, number = _columns(path, without_faults(table, marked), marked), 0
            for sentence in table.sentences:
                fault = fault_of(table, sentence, marked)
                if fault is not None:
                    yield Row({}, path, *fault)
                else:
                    yield Row({name: values[number] for name, values in columns.items()}, path, sentence[0][0])
                    number += 1


def _scheme(table: Table) -> str:
    """Return the scheme of the entity tags for the reason, or "" where there are none or `read` says what is wrong."""
    marked = marked_columns(table)
    names = dict(zip(_names(table, marked), range(table.width), strict=False))
    column = names.get("ner_tags", names.get("chunk_tags"))
    if column not in marked:
        return ""
    assert column is not None
    try:
        return f", entity tags in {scheme_of(tags_of(without_faults(table, [column]), column, ''))}"
    except SchemeError:
        return ""


def _check_names(path: Path, table: Table) -> None:
    width = table.width
    if table.names and len(table.names) != width:
        raise DataError(
            f"{path}:1: global.columns names {len(table.names)} columns, and the lines have {width}. Correct the line."
        )
    twice = [name for name, count in Counter(_KNOWN.get(name, name) for name in table.names).items() if count > 1]
    if twice:
        raise DataError(f"{path}:1: global.columns has two columns that are {twice[0]}. Rename one of them.")


def _columns(path: Path, table: Table, marked: Sequence[int]) -> dict[str, list[list[str]]]:
    """Return the cells of each column by its name, a list for each sentence; entity tags in IOB2."""
    columns: dict[str, list[list[str]]] = {}
    for column, name in enumerate(_names(table, marked)):
        if column not in marked:
            columns[name] = [[cells[column] for _, cells in sentence] for sentence in table.sentences]
            continue
        found = tags_of(table, column, path.name)
        try:
            scheme_of(found)
        except SchemeError as error:
            raise DataError(
                f"{path}: column {column + 1}: {error}. Write the tags of the file in one scheme: IOB1, IOB2, BIOES or "
                "BILOU."
            ) from None
        columns[name] = [as_iob2(sentence) for sentence in found]
    return columns


def _names(table: Table, marked: Sequence[int]) -> list[str]:
    """Return the names of the columns.

    Args:
        table: the sentences without a fault.
        marked: the columns of entity tags.
    """
    words, width = table.words, table.width
    if table.names:
        return [_KNOWN.get(name, name) for name in table.names]
    if table.numbered and width == len(_CONLLU) and not marked:
        return list(_CONLLU)
    names = [f"column_{number}" for number in range(1, width + 1)]
    names[: words + 1] = [*["id"][:words], "tokens"]
    types = {column: _types(table, column) for column in marked}
    for column in marked:
        if types[column] and types[column] <= _PHRASES:
            names[column] = "chunk_tags"
    entities = [column for column in marked if names[column] != "chunk_tags"]
    entities = [column for column in entities if types[column]] or entities
    if entities:
        nested = list(marked) == list(range(words + 1, width))
        names[entities[0 if nested else -1]] = "ner_tags"
    if width > words + 1 and words + 1 not in marked:
        names[words + 1] = "pos_tags"
    return names


def _types(table: Table, column: int) -> set[str]:
    return {tag.type for tags in tags_of(table, column, "") for tag in tags if tag.type}
