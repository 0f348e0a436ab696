"""Versions of everything that a result depends on."""

from __future__ import annotations

import platform
import re
from functools import cache
from importlib.metadata import PackageNotFoundError, requires, version

from adapt_core.plugin.registry import Registry

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def versions(registry: Registry) -> dict[str, str]:
    """Return names to versions: Python, each plugin's distribution, and the installed packages that these require.

    Packages of extras count where they are installed.
    """
    found = {"python": platform.python_version()}
    found.update({p.distribution: p.version for p in registry.provenance.values()})
    packages = {name for distribution in list(found) for name in _requirements(distribution)}
    found.update({name: number for name in sorted(packages - set(found)) if (number := installed_version(name))})
    return found


def installed_version(distribution: str) -> str | None:
    """Return the version of an installed distribution, or None. Each is read once: several runs of a process ask."""
    try:
        return _version(distribution)
    except PackageNotFoundError:
        return None


_version = cache(version)


def _requirements(distribution: str) -> set[str]:
    try:
        lines = requires(distribution) or []
    except PackageNotFoundError:
        return set()
    return {found[0] for line in lines if (found := _NAME.match(line))}
