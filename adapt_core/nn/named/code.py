"""Code of installed packages that a config names: what may be named, how it is imported, and what it takes."""

from __future__ import annotations

import inspect
import json
import re
import site
import sys
import sysconfig
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.metadata import distributions
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

_NAME = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")

Mapped = Mapping[str, Any]


class NamedCodeError(ValueError):
    """What a dotted name stands for cannot be used; the text says why, and what to do."""


def load_named(dotted: str) -> Any:
    """Import and return what a dotted name stands for, of an installed package.

    A module beside the config or in the working directory is not imported, nor one of Python's own library: a config
    must not run files that came with it.

    Raises:
        NamedCodeError: it is not installed, cannot be imported, or has no such name.
    """
    if not _NAME.fullmatch(dotted):
        raise NamedCodeError(f"{dotted!r} must read package.module:Name.")
    module, _, name = dotted.partition(":")
    package = module.partition(".")[0]
    if not _is_installed(package):
        raise NamedCodeError(
            f"{package} is not an installed package. Install the package that has {name} (files beside the config are "
            "not imported), or correct the name."
        )
    try:
        found = import_module(module)
    except Exception as error:  # a foreign module: anything can go wrong in it
        raise NamedCodeError(f"{module} cannot be imported: {fault_of(error)}. Correct the name.") from error
    if not hasattr(found, name):
        raise NamedCodeError(f"{module} has no {name}. Correct the name.")
    return getattr(found, name)


def require_options(function: Callable[..., Any], options: Mapped, *given: object, **further: object) -> None:
    """Check that a function or class takes what it is called with.

    Args:
        function: from `load_named`.
        options: of the config, by name.
        given, further: what adapt gives.

    Raises:
        NamedCodeError: it does not.
    """
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return
    try:
        signature.bind(*given, **{**further, **options})
    except TypeError as error:
        taken = ", ".join(name for name in signature.parameters if name != "self")
        raise NamedCodeError(f"{fault_of(error)}; it takes {taken}. Correct its options.") from error


def takes(function: Callable[..., Any], name: str) -> bool:
    """Return whether a function or class has a parameter of a name."""
    try:
        return name in inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False


def fault_of(error: Exception) -> str:
    """Return the error of foreign code in one line."""
    text = " ".join(str(error).split()) or type(error).__name__
    return (text if len(text) <= 240 else f"{text[:237]}...").rstrip(".")


def _is_installed(package: str) -> bool:
    if package in sys.stdlib_module_names:
        return False
    spec = find_spec(package)
    if spec is None:
        return False
    places = [Path(one).resolve() for one in (spec.submodule_search_locations or [spec.origin or ""])]
    folders = {sysconfig.get_path(name) for name in ("purelib", "platlib")}
    folders |= {*site.getsitepackages(), site.getusersitepackages()}
    roots = [Path(folder).resolve() for folder in folders if folder]
    inside = all(any(root in place.parents for root in roots) for place in places)
    return inside or any(root in place.parents for root in _editable() for place in places)


def _editable() -> list[Path]:
    """Return the folders of the distributions that are installed as editable ones."""
    found = []
    for distribution in distributions():
        text = distribution.read_text("direct_url.json")
        told = json.loads(text) if text else {}
        if told.get("dir_info", {}).get("editable"):
            found.append(Path(unquote(urlparse(told["url"]).path)).resolve())
    return found
