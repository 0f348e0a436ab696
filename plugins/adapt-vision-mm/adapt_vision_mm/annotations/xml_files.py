"""XML files as trees whose elements know their lines. Entities are never expanded."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path
from xml.parsers import expat

import attrs

from adapt_core.errors import DataError


@attrs.frozen
class XmlTree:
    """A file.

    Attributes:
        root: the outermost element.
        lines: element -> the line, from 1, at which it begins.
    """

    root: ET.Element
    lines: dict[ET.Element, int]


class _EntityError(Exception):
    """The file declares an entity."""


def read_xml(file: Path) -> XmlTree:
    """Read a file.

    Raises:
        DataError: it cannot be read, or declares entities (which may name other files, or grow without end).
    """
    parser, builder = expat.ParserCreate(), ET.TreeBuilder()
    lines: dict[ET.Element, int] = {}

    def start(tag: str, attributes: dict[str, str]) -> None:
        lines[builder.start(tag, attributes)] = parser.CurrentLineNumber

    def refuse(*_: object) -> None:
        raise _EntityError

    parser.StartElementHandler = start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    parser.EntityDeclHandler = refuse
    parser.SkippedEntityHandler = refuse
    try:
        with file.open("rb") as stream:
            parser.ParseFile(stream)
    except _EntityError:
        raise DataError(
            f"{file}:{parser.CurrentLineNumber}: it declares or uses an entity, and adapt expands none. Write the "
            "text itself."
        ) from None
    except (OSError, ValueError, LookupError, expat.ExpatError) as error:  # of encodings too
        raise DataError(f"{file} cannot be read as XML: {error}. Write the file again.") from None
    return XmlTree(builder.close(), lines)
