"""The keys of --json are those that docs/json.md promises."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from adapt_core.capabilities import Memory
from adapt_core.estimate.estimate import Estimate

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "json.md").read_text(encoding="utf-8")
Adapt = Callable[..., Any]


def promised(command: str) -> set[str]:
    """The keys in a command's row."""
    row = next(line for line in PAGE.splitlines() if line.startswith(f"| `adapt {command}` |"))
    return set(re.findall(r"`(\w+)`", row.split("|")[2]))


def keys_of(value: Any, depth: int) -> set[str]:
    """Keys of nested mappings and lists, to a depth."""
    if depth == 0:
        return set()
    if isinstance(value, dict):
        return set(value) | {key for inner in value.values() for key in keys_of(inner, depth - 1)}
    return {key for inner in value for key in keys_of(inner, depth)} if isinstance(value, list) else set()


@pytest.mark.parametrize(("command", "depth"), [("plugins", 2), ("doctor", 1)])
def test_what_is_printed_is_what_is_promised(forked_adapt: Adapt, command: str, depth: int) -> None:
    printed = keys_of(json.loads(forked_adapt(command, "--json").stdout), depth)
    assert promised(command) == printed


def test_each_parameter_has_the_promised_keys(adapt: Adapt) -> None:
    sections = json.loads(adapt("params", "--json").stdout)
    assert all(set(row) == promised("params") for rows in sections.values() for row in rows)


def test_a_check_that_fails_lists_the_problems(adapt: Adapt, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("NO_SUCH: 1\n", encoding="utf-8")
    failed = adapt("check", "c.yaml", "--json")
    assert failed.returncode == 2
    assert set(json.loads(failed.stdout)) == {"ok", "problems"}


def test_the_outlook_s_keys_are_listed() -> None:
    table = PAGE.partition("The `estimate`")[2]
    told = set(re.findall(r"`(\w+)`", table))
    fields = {field.name for field in attrs.fields(Estimate)} - {"pictures"}
    assert fields | {field.name for field in attrs.fields(Memory)} <= told
