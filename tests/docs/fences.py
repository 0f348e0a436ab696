"""The fenced blocks of a Markdown page."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import attrs

OPENING = re.compile(r"^(?P<indent> *)```(?P<language>[\w+-]*)(?P<info>.*)$")
ATTRIBUTE = re.compile(r'([\w-]+)="([^"]*)"')
RUN_BY = ("sh", "console", "python")


@attrs.frozen
class Fence:
    """A fenced block.

    Attributes:
        page: the file.
        line: the line of its opening, from 1.
        language: the first word behind the backticks.
        attributes: `name="value"` pairs behind it.
        text: what stands inside, without the fence's own indentation.
    """

    page: Path
    line: int
    language: str
    attributes: Mapping[str, str]
    text: str

    @property
    def place(self) -> str:
        """page:line, for messages."""
        return f"{self.page.name}:{self.line}"

    @property
    def is_file(self) -> bool:
        """Whether it is written to the file that its title names."""
        return "title" in self.attributes

    @property
    def is_run(self) -> bool:
        """Whether it holds commands that the tests run."""
        return self.language in RUN_BY and not self.is_file and "data-not-run" not in self.attributes


def fences(page: Path) -> Iterator[Fence]:
    """The fenced blocks of a page, in order.

    Raises:
        ValueError: a fence is not closed.
    """
    lines = enumerate(page.read_text(encoding="utf-8").splitlines(), start=1)
    for number, line in lines:
        opening = OPENING.match(line)
        if opening is None:
            continue
        inside = []
        for _, text in lines:
            if text.strip() == "```":
                break
            inside.append(text.removeprefix(opening["indent"]))
        else:
            raise ValueError(f"{page}:{number}: the fence is not closed")
        attributes = dict(ATTRIBUTE.findall(opening["info"]))
        yield Fence(page, number, opening["language"], attributes, "\n".join(inside) + "\n")
