"""The entry points that plugins declare, read from the metadata of installed distributions.

`importlib.metadata` answers the same question, but importing it takes a quarter of the time of `adapt plugins`. It is
asked only where a place on `sys.path` is no folder (a zip file, an egg) or a finder of its own knows distributions.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from functools import reduce
from importlib import import_module
from importlib.machinery import PathFinder
from typing import Any

import attrs

_METADATA_FILES = {".dist-info": "METADATA", ".egg-info": "PKG-INFO"}
"""How the name of a distribution's folder of metadata ends, and the file in it that begins with name and version."""

_ENDINGS = tuple(_METADATA_FILES)

_VALUE = re.compile(r"(?P<module>[\w.]+)\s*(:\s*(?P<attribute>[\w.]+)\s*)?(\[.*\]\s*)?$")


@attrs.frozen
class PluginEntry:
    """One plugin that a distribution declares, as `name = value` under its group in `entry_points.txt`.

    Attributes:
        value: the hook module, "package.module", or an object in it, "package.module:name".
        distribution, version: those of the distribution; None where its metadata does not say.
    """

    name: str
    value: str
    distribution: str | None = None
    version: str | None = None

    def load(self) -> Any:
        """Import and return what the value names.

        Raises:
            ValueError: the value has not the form of an entry point.
            ImportError, AttributeError: as the module raises them.
        """
        match = _VALUE.match(self.value)
        if match is None:
            raise ValueError(f"the entry point must read 'package.module' or 'package.module:name', not {self.value!r}")
        attributes = (match["attribute"] or "").split(".")
        return reduce(getattr, filter(None, attributes), import_module(match["module"]))


def plugin_entries(group: str) -> list[PluginEntry]:
    """Return the entry points of a group. Of a distribution that is installed twice, the first on `sys.path` counts."""
    if not _only_folders():
        return _as_importlib_finds_them(group)
    seen: set[str] = set()
    found = []
    for place in sys.path:
        for name, folder, metadata in _distributions(place or os.curdir):
            if name not in seen:
                seen.add(name)
                found += _entries(folder, metadata, group)
    return found


def _only_folders() -> bool:
    finders = [finder for finder in sys.meta_path if hasattr(finder, "find_distributions")]
    return finders == [PathFinder] and not any(
        os.path.isfile(place) or place.casefold().endswith(".egg") for place in sys.path
    )


def _as_importlib_finds_them(group: str) -> list[PluginEntry]:
    from importlib.metadata import entry_points

    found = []
    for entry in entry_points(group=group):
        dist = entry.dist
        found.append(PluginEntry(entry.name, entry.value, dist.name if dist else None, dist.version if dist else None))
    return found


def _distributions(place: str) -> Iterator[tuple[str, str, str]]:
    """Yield each distribution's normalised name, folder of metadata, and file with its name and version."""
    try:
        names = os.listdir(place)
    except OSError:  # Python, too, passes over a place that is not there or cannot be read.
        return
    for name in names:
        if name.casefold().endswith(_ENDINGS):
            stem, _, ending = name.casefold().rpartition(".")
            folder = os.path.join(place, name)
            distribution = "-".join(filter(None, stem.partition("-")[0].replace(".", "_").split("_")))
            yield distribution, folder, os.path.join(folder, _METADATA_FILES[f".{ending}"])


def _entries(folder: str, metadata: str, group: str) -> list[PluginEntry]:
    try:
        with open(f"{folder}{os.sep}entry_points.txt", "rb", buffering=0) as file:
            content = file.read()
    except OSError:  # Most distributions declare none.
        return []
    if f"[{group}]".encode() not in content:
        return []
    found, section = [], ""
    for line in map(str.strip, content.decode("utf-8").splitlines()):
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1]
        elif section == group and line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.append((name.strip(), value.strip()))
    headers = _headers(metadata)
    return [PluginEntry(name, value, headers.get("name"), headers.get("version")) for name, value in found]


def _headers(metadata: str) -> dict[str, str]:
    """Return the fields at the top of a METADATA file, by lower-case name."""
    headers: dict[str, str] = {}
    try:
        with open(metadata, encoding="utf-8") as file:
            for line in file:
                name, separator, value = line.partition(":")
                if not separator or {"name", "version"} <= headers.keys():
                    break
                headers.setdefault(name.casefold(), value.strip())
    except OSError:  # A folder of metadata without its main file: the plugin is listed as of an unknown distribution.
        pass
    return headers
