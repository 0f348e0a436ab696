"""Every command of the documentation runs and prints what its page shows."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from .fences import Fence, fences
from .pages import NOT_RUN, PAGES, ROOT
from .session import Session

DOCUMENTATION = ("README.md", "CONTRIBUTING.md", "docs/**/*.md", "plugins/*/README.md", "examples/**/README.md")


def documentation() -> dict[str, list[Fence]]:
    """Every page with its fences."""
    found = [page for pattern in DOCUMENTATION for page in sorted(ROOT.glob(pattern))]
    return {str(page.relative_to(ROOT)): list(fences(page)) for page in found}


@pytest.mark.timeout(1500)
@pytest.mark.usefixtures("everything_installed")
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if page.slow else ()) for name, page in PAGES.items()]
)
def test_its_commands_run_and_print_what_it_shows(name: str, tmp_path: Path) -> None:
    page = PAGES[name]
    for module in page.modules:
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"needs {module}")
    for lay in page.materials:
        lay(tmp_path)
    session = Session(tmp_path)
    for fence in fences(ROOT / name):
        session.follow(fence)


def test_every_page_with_commands_is_run() -> None:
    shown = {name for name, found in documentation().items() if any(fence.is_run for fence in found)}
    assert shown == set(PAGES)


def test_what_is_not_run_says_why_and_is_little() -> None:
    every = [fence for found in documentation().values() for fence in found]
    left_out = [fence for fence in every if "data-not-run" in fence.attributes]
    unexplained = [fence.place for fence in left_out if fence.attributes["data-not-run"] not in NOT_RUN]
    assert unexplained == []
    assert len(left_out) < sum(fence.is_run for fence in every) / 2


def test_no_command_hides_in_a_fence_of_another_kind() -> None:
    hidden = [
        fence.place
        for found in documentation().values()
        for fence in found
        if fence.language in ("", "bash", "shell", "text")
        and any(line.startswith(("$ ", "adapt ", "pip ", "python ")) for line in fence.text.splitlines())
        and fence.page.name != "commands.md"
    ]
    assert hidden == []
