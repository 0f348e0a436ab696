"""XML files as trees whose elements know their lines. Entities are never expanded."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import attrs

from adapt_core.errors import DataError
from adapt_core.hf.data.xml_files import naming_place, parser_without_entities


@attrs.frozen
class XmlTree:
    """A file.

    Attributes:
        root: the outermost element.
        lines: element -> the line, from 1, at which it begins.
    """

    root: ET.Element
    lines: dict[ET.Element, int]


def read_xml(file: Path) -> XmlTree:
    """Read a file.

    Raises:
        DataError: it cannot be read, or declares entities (which may name other files, or grow without end).
    """
    parser, builder = parser_without_entities(separator=None), ET.TreeBuilder()
    lines: dict[ET.Element, int] = {}

    def start(tag: str, attributes: dict[str, str]) -> None:
        lines[builder.start(tag, attributes)] = parser.CurrentLineNumber

    parser.StartElementHandler = start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    try:
        with file.open("rb") as stream, naming_place(file, parser):
            parser.ParseFile(stream)
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror}. Make it readable.") from None
    return XmlTree(builder.close(), lines)
