"""The YAML of a launch file, in which nothing is hidden from its reader."""

from __future__ import annotations

from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import LiteralScalarString

from adapt_core.runtime.plain_text import has_hidden


def as_block(text: str) -> str:
    """Return text as it stands in a file: a block of lines, unless a line of YAML would end at what it hides."""
    return text if has_hidden(text) else LiteralScalarString(text)


def to_yaml(content: dict[str, Any]) -> str:
    """Return a file's content as YAML; as escapes what would not be seen."""
    yaml = YAML()
    # An anchor for a repeated mapping would be valid, and hard to read.
    yaml.representer.ignore_aliases = lambda _: True
    text = StringIO()
    yaml.dump(content, text)
    if not has_hidden(text.getvalue()):
        return text.getvalue()
    yaml.allow_unicode = False
    escaped = StringIO()
    yaml.dump(content, escaped)
    return escaped.getvalue()
