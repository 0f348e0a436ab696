"""What docs/behaviours.toml names exists: tests, scripts of findings, and the versions that it was seen with."""

from __future__ import annotations

import ast
import itertools
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from .pages import ROOT

ROWS: list[dict[str, Any]] = tomllib.loads((ROOT / "docs" / "behaviours.toml").read_text(encoding="utf-8"))["behaviour"]
FIELDS = {"topic", "what", "versions", "adapt", "tests"}


@cache
def functions(file: Path) -> set[str]:
    """The names of the tests in a file, also of those in classes."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test")}


def test_each_row_is_whole() -> None:
    assert ROWS
    for row in ROWS:
        assert {*row} - {"finding"} == FIELDS, row["what"]
        assert all(row.values()), row["what"]
    assert len({row["what"] for row in ROWS}) == len(ROWS)


def test_rows_of_a_topic_stand_together() -> None:
    """A topic is a heading of the page."""
    topics = [row["topic"] for row in ROWS]
    changes = sum(one != other for one, other in itertools.pairwise(topics))
    assert changes == len({*topics}) - 1


@pytest.mark.parametrize("test", sorted({test for row in ROWS for test in row["tests"]}))
def test_each_test_exists(test: str) -> None:
    place, _, name = test.partition("::")
    file = ROOT / place
    assert file.is_file(), place
    assert name in functions(file), test


def test_each_script_exists() -> None:
    missing = [row["finding"] for row in ROWS if "finding" in row and not _script(row["finding"]).is_file()]
    assert missing == []


def _script(name: str) -> Path:
    return ROOT / "findings" / f"{name}.sh"


def pinned() -> dict[str, str]:
    """The versions that this repository is developed with, by package."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return dict(entry.split("==") for entry in project["tool"]["uv"]["constraint-dependencies"])


def test_what_was_seen_was_seen_with_the_versions_that_are_pinned() -> None:
    """A row whose package has moved on must be seen again: its test passes, and the behaviour may be gone."""
    held = pinned()
    old = {
        f"{row['what'][:60]}: {package} {seen}, pinned {held[package]}"
        for row in ROWS
        for package, seen in row["versions"].items()
        if held.get(package, seen) != seen
    }
    assert old == set()
