"""Each folder's `__init__` lists the modules and folders that are there, and no others."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = [ROOT / "adapt_core", *ROOT.glob("plugins/*/adapt_*")]
FOLDERS = sorted(init.parent for package in PACKAGES for init in package.rglob("__init__.py"))


def listed(folder: Path) -> set[str]:
    """Return the names that begin lines of the docstring: "name.py what it is", "name/ ...", "name  ..."."""
    text = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))) or ""
    names = re.findall(r"^ *(\w+)(?:\.py |/ | {2})", text, re.MULTILINE)
    return set(names)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.relative_to(ROOT).as_posix())
def test_a_folder_lists_its_modules(folder: Path) -> None:
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__", "__main__"}
    folders = {path.parent.name for path in folder.glob("*/__init__.py")}
    assert modules | folders <= listed(folder)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.relative_to(ROOT).as_posix())
def test_a_folder_lists_no_module_that_is_gone(folder: Path) -> None:
    text = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))) or ""
    named = re.findall(r"^ *(\w+\.py|\w+/)(?= )", text, re.MULTILINE)
    assert [name for name in named if not (folder / name).exists()] == []
