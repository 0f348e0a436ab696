"""Packages whose public names load on first use, so that importing them costs nothing (PEP 562, SPEC 1).

The names are in one place, the stub next to the package's `__init__.py`: type checkers and editors read it, and
`lazy_names` reads from it which module defines which name.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any


def lazy_names(package: str, file: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return the `__getattr__` and `__dir__` of a package.

    Args:
        package: the package's `__name__`.
        file: the package's `__file__`; `__init__.pyi` is in the same folder.
    """

    @cache
    def stub() -> tuple[list[str], dict[str, str]]:
        import ast  # deferred, as is pathlib: `adapt --help` imports this module and reads no stub
        from pathlib import Path

        body = ast.parse(Path(file).with_suffix(".pyi").read_text(encoding="utf-8")).body
        public = next(node.value for node in body if isinstance(node, ast.Assign))
        imports = [node for node in body if isinstance(node, ast.ImportFrom)]
        return ast.literal_eval(public), {alias.name: str(node.module) for node in imports for alias in node.names}

    def load(name: str) -> Any:
        if name == "__all__":
            return stub()[0]
        # Python itself asks every package for __path__ and others: they are not worth reading the stub.
        if name.startswith("__") or name not in stub()[1]:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(stub()[1][name]), name)

    def names() -> list[str]:
        return stub()[0]

    return load, names
