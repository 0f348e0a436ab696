"""Versions of everything that a result depends on."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

from adapt_core.plugin.registry import Registry

_LIBRARIES = (
    "torch",
    "transformers",
    "accelerate",
    "datasets",
    "peft",
    "bitsandbytes",
    "timm",
    "mmengine",
    "onedl-mmengine",
)


def versions(registry: Registry) -> dict[str, str]:
    """Names to versions: Python, each plugin's distribution, and the installed libraries underneath."""
    found = {"python": platform.python_version()}
    found.update({p.distribution: p.version for p in registry.provenance.values()})
    found.update({name: number for name in _LIBRARIES if (number := installed_version(name))})
    return found


def installed_version(distribution: str) -> str | None:
    """The version of an installed distribution, or None."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
