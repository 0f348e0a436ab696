"""A parser of XML that expands no entity, and its failures as errors with file and line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.parsers import expat

from adapt_core.errors import DataError

FAILURES = (expat.ExpatError, LookupError, ValueError)
"""What a parser raises: of XML that is not well-formed, in an encoding that Python does not know, or expat not read."""


class EntityError(ValueError):
    """A document declares or uses an entity, which might name other files, or grow without end."""


def parser_without_entities(separator: str | None = "}") -> expat.XMLParserType:
    """Return a parser that raises EntityError at the first entity of a document.

    Args:
        separator: between the address of a namespace and a name; None where names are kept as they are written.
    """
    parser = expat.ParserCreate(namespace_separator=separator)
    parser.EntityDeclHandler = _refuse
    parser.SkippedEntityHandler = _refuse
    return parser


@contextmanager
def naming_place(path: Path, parser: expat.XMLParserType) -> Iterator[None]:
    """Turn the failures of a parser into errors with file and line.

    Raises:
        DataError: the block met one.
    """
    try:
        yield
    except EntityError as error:
        raise DataError(f"{path}:{parser.CurrentLineNumber}: {error}") from None
    except FAILURES as error:
        line = getattr(error, "lineno", parser.CurrentLineNumber)
        raise DataError(f"{path}:{line}: not well-formed XML: {error}. Correct it.") from None


def _refuse(name: str, *_: object) -> None:
    raise EntityError(f"the XML entity {name!r} is not expanded. Write what it stands for in its place.")
