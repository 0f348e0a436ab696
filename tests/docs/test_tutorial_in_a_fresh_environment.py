"""The whole tutorial as a newcomer goes through it: real wheels, an empty environment, every command in order."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from ..environments import Environment
from .fences import Fence, fences
from .pages import ROOT, example_data
from .session import Session

pytestmark = [pytest.mark.wheels, pytest.mark.timeout(1800)]


def installed_by(fence: Fence) -> list[str]:
    """The distributions that a fence of `pip install` lines names."""
    lines = [shlex.split(line, comments=True) for line in fence.text.splitlines()]
    assert all(words[:2] == ["pip", "install"] for words in lines), fence.place
    return [name for words in lines for name in words[2:]]


def test_it_leads_from_pip_install_to_a_model_that_is_used(uv: str, wheels: Path, tmp_path: Path) -> None:
    """The wheels just built stand in for the package index; all else is as the page says."""
    environment = Environment(uv, tmp_path / "environment", wheels)
    session = Session(tmp_path / "here", environment.folder / "bin")
    session.folder.mkdir()
    example_data(session.folder)
    installs = 0
    for fence in fences(ROOT / "docs" / "tutorial.md"):
        if fence.attributes.get("data-not-run") == "installs":
            environment.install(*installed_by(fence))
            installs += 1
        else:
            session.follow(fence)
    assert installs == 1
    for run, reached in (("inbox", 0.7), ("lora", 0.5)):
        result = json.loads((session.folder / "runs" / run / "result.json").read_text(encoding="utf-8"))
        assert result["training_check"]["verdict"] == "learned", run
        assert result["metrics"]["before"]["accuracy"] < 0.4, run
        assert result["metrics"]["after"]["accuracy"] > reached, run
