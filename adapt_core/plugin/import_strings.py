"""Import strings, "package.module:Name": they name an object without importing its module."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

PACKAGE_PREFIX = "package:"
"""What begins a place inside an installed package: "package:NAME/path"."""


def is_import_string(text: str) -> bool:
    """Return whether a text has the form "package.module:Name"."""
    module, _, name = text.partition(":")
    return bool(module and name)


def load_object(import_string: str) -> Any:
    """Import and return the object that an import string names.

    Raises:
        ImportError, AttributeError: as the module raises them.
    """
    module, _, name = import_string.partition(":")
    return getattr(import_module(module), name)


def package_folder(name: str) -> Path | None:
    """Return the folder of an installed top-level package, which is not imported, or None where there is none."""
    from pathlib import Path  # deferred: `adapt plugins` imports this module and asks for no folder

    spec = find_spec(name) if name.isidentifier() else None
    roots = list(spec.submodule_search_locations or ()) if spec else []
    return Path(roots[0]).resolve() if roots else None
