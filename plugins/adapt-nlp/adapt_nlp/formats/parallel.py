"""Parallel texts: a file for each language, whose suffix is the language's code; a line of each is a pair.

Files of the same name but for the suffix belong together: `train.en` and `train.de`, `corpus.de-en.de` and
`corpus.de-en.en`. Where one of them is named, the others beside it are read too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import zip_longest
from pathlib import Path

from adapt_core.contracts.format import Place, Row
from adapt_core.errors import DataError, first_of
from adapt_core.hf.data.tables.encodings import UTF8, decoded

from adapt_nlp.formats.language_suffixes import SUFFIXES


class Parallel:
    """The format."""

    def recognise(self, place: Place) -> str | None:
        """Return which files belong together; None where there is none with the code of a language."""
        if not place.files or not all(path.suffix.casefold() in SUFFIXES for path in place.files):
            return None
        told = [" and ".join(path.name for path in group.values()) for group in _groups(place.files)]
        return f"{first_of(told)}: the suffixes are languages, and a line of each is a pair"

    def read(self, place: Place) -> Iterator[Row]:
        """Yield the pairs as `translation`: code of the language -> line."""
        for group in _groups(place.files):
            yield from _pairs(group)


def _groups(files: Sequence[Path]) -> list[dict[str, Path]]:
    """Return the files that belong together, by their languages, in the order of their first ones."""
    groups: dict[Path, dict[str, Path]] = {}
    for path in files:
        name = path.with_suffix("")
        if name not in groups:
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
            fault = f"the line is empty in {' and '.join(empty)}" if empty else None
            yield Row({} if empty else {"translation": texts}, first, number, fault)
        if not number:
            raise DataError(f"{first} is empty. Add lines, or remove the file.")


def _lines(path: Path, opened: ExitStack) -> Iterator[str]:
    """Yield the lines of a file. Only line feeds end them, as line counts have it."""
    with decoded(path):
        yield from opened.enter_context(path.open(encoding=UTF8, newline="\n"))
