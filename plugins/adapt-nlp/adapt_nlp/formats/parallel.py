"""Parallel texts: a file for each language, whose suffix is the language's code; a line of each is a pair.

Files of the same name but for the suffix belong together: `train.en` and `train.de`, `corpus.de-en.de` and
`corpus.de-en.en`. Where one of them is named, the others beside it are read too. Of three languages or more, those
whose files have another number of lines than most, or are not UTF-8, are left out and told, and a line that is empty in
one of them is a pair of the others.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import zip_longest
from pathlib import Path

from adapt_core.contracts.format import PREDICT, Place, Row
from adapt_core.errors import DataError, first_of
from adapt_core.hf.data.tables.encodings import UTF8, decoded

from adapt_nlp.formats.language_suffixes import SUFFIXES

log = logging.getLogger(__name__)


class Parallel:
    """The format."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def recognise(self, place: Place) -> str | None:
        """Return which files belong together; None where there is none with the code of a language."""
        if not place.files or not all(path.suffix.casefold() in SUFFIXES for path in place.files):
            return None
        told = [" and ".join(path.name for path in group.values()) for group in _groups(place.files)]
        return f"{first_of(told)}: the suffixes are languages, and a line of each is a pair"

    def read(self, place: Place) -> Iterator[Row]:
        """Yield the pairs as `translation`: code of the language -> line."""
        if place.split == PREDICT:
            for path in place.files:
                yield from _pairs({path.suffix.removeprefix("."): path})
            return
        for group in _groups(place.files):
            yield from _pairs(self._alike(group) if len(group) > 2 else group)

    def _alike(self, group: dict[str, Path]) -> dict[str, Path]:
        """Return the files with as many lines as most of them have; all where no two have as many."""
        counts = {language: _count(path) for language, path in group.items()}
        ranked = Counter(count for count in counts.values() if count is not None).most_common(2)
        if not ranked or ranked[0][1] < 2 or (len(ranked) > 1 and ranked[0][1] == ranked[1][1]):
            return group
        most = ranked[0][0]
        for language, count in counts.items():
            if count != most:
                why = "it is not UTF-8" if count is None else f"it has {count} lines, and the others {most}"
                told = f"{group[language]} is left out: {why}. Each line needs its translation in the same line."
                if told not in self._told:  # a run reads its rows more than once
                    self._told.add(told)
                    log.warning("%s", told)
        return {language: path for language, path in group.items() if counts[language] == most}


def _count(path: Path) -> int | None:
    """Return the number of lines of a file; None where it is not UTF-8."""
    try:
        with ExitStack() as opened:
            return sum(1 for _ in _lines(path, opened))
    except DataError:
        return None


def _groups(files: Sequence[Path]) -> list[dict[str, Path]]:
    """Return the files that belong together, by their languages, in the order of their first ones."""
    groups: dict[Path, dict[str, Path]] = {}
    given = Counter(path.with_suffix("") for path in files)
    for path in files:
        name = path.with_suffix("")
        if given[name] > 1:
            groups.setdefault(name, {})[path.suffix.removeprefix(".")] = path
        elif name not in groups:
            beside = sorted(one for one in path.parent.glob(f"{_escaped(name.name)}.*") if one.stem == name.name)
            every = [one for one in beside if one.suffix.casefold() in SUFFIXES and one.is_file()] or [path]
            groups[name] = {one.suffix.removeprefix("."): one for one in every}
    return list(groups.values())


def _escaped(name: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


def _pairs(group: Mapping[str, Path]) -> Iterator[Row]:
    """Yield the lines of files that belong together.

    Raises:
        DataError: one has more lines than another, or is not UTF-8.
    """
    first = next(iter(group.values()))
    with ExitStack() as opened:
        columns = [_lines(path, opened) for path in group.values()]
        number = 0
        for number, lines in enumerate(zip_longest(*columns), start=1):
            ended = [path for path, line in zip(group.values(), lines, strict=True) if line is None]
            if ended:
                longer = next(path for path in group.values() if path not in ended)
                raise DataError(
                    f"{longer}:{number}: {ended[0].name} has {number - 1} lines, and {longer.name} has more. Each line "
                    "needs its translation in the same line: look where they part."
                )
            texts = {language: str(line).strip() for language, line in zip(group, lines, strict=True)}
            empty = [path.name for (_, text), path in zip(texts.items(), group.values(), strict=True) if not text]
            filled = {language: text for language, text in texts.items() if text}
            fault = f"the line is empty in {' and '.join(empty)}" if empty and len(filled) < 2 else None
            yield Row({} if fault else {"translation": filled}, first, number, fault)
        if not number:
            raise DataError(f"{first} is empty. Add lines, or remove the file.")


def _lines(path: Path, opened: ExitStack) -> Iterator[str]:
    """Yield the lines of a file. Only line feeds end them, as line counts have it."""
    with decoded(path):
        yield from opened.enter_context(path.open(encoding=UTF8, newline="\n"))
