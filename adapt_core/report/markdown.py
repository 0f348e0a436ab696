"""Text of others in Markdown (CommonMark with GitHub's tables), and in HTML where Markdown becomes it."""

from __future__ import annotations

import re

from adapt_core.runtime.plain_text import in_one_line

_SPECIAL = re.compile(r"[\\`*\[\]<>|~$&]|(?<![^\W_])_|_(?![^\W_])|(?:^|(?<=\s))#")
"""Characters that begin markup. An underscore between letters begins none, so `text_classification` stays readable."""
_BACKTICKS = re.compile("`+")


def text(value: str) -> str:
    """Return text for a paragraph, a heading or a cell of a table, in which it reads as it is."""
    return _SPECIAL.sub(r"\\\g<0>", in_one_line(value))


def code(value: str) -> str:
    """Return text as a code span: between more backticks than it holds.

    Not for tables, where a bar ends the cell in code too.
    """
    shown = in_one_line(value)
    runs = [len(run) for run in _BACKTICKS.findall(shown)]
    fence = next("`" * count for count in range(1, len(runs) + 2) if count not in runs)
    # A space at each end is taken away, if there is one at both: it keeps a backtick at an end apart from the fence.
    apart = " " if shown.startswith(("`", " ")) or shown.endswith(("`", " ")) else ""
    return f"{fence}{apart}{shown}{apart}{fence}"
