"""The site as it is built: strictly, and with every fence understood."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .pages import ROOT

pytest.importorskip("mkdocs", reason="needs the dependency group docs")


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    return folder


def test_every_page_is_built(context: Path) -> None:
    """But for those that mkdocs.yml leaves out."""
    from mkdocs.config import load_config

    left_out = load_config(str(ROOT / "mkdocs.yml")).exclude_docs
    pages = {page.relative_to(ROOT / "docs") for page in (ROOT / "docs").rglob("*.md")}
    built = {page for page in pages if (context / page).with_suffix(".html").is_file()}
    assert pages - built == {page for page in pages if left_out.match_file(page.as_posix())}


def test_no_fence_is_left_as_text(context: Path) -> None:
    assert [page.name for page in context.rglob("*.html") if "```" in page.read_text(encoding="utf-8")] == []


def test_nothing_is_fetched_from_elsewhere(context: Path) -> None:
    """The pages open without a network: no font, script or style of another host."""
    for page in context.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert 'src="http' not in text, page
        assert 'rel="stylesheet" href="http' not in text, page


def test_sources_and_figures_are_not_published(context: Path) -> None:
    assert [path.name for path in context.rglob("*") if path.suffix == ".py" or path.name == "results.json"] == []
