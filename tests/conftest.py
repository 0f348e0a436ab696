"""Fixtures of the tests that install real wheels into empty environments (`pytest -m wheels`)."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from .environments import ROOT, done


@pytest.fixture(scope="session")
def uv() -> str:
    """The uv command."""
    found = shutil.which("uv")
    if found is None:
        pytest.skip("needs uv")
    return found


@pytest.fixture(scope="session")
def wheels(uv: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Wheels and sdists of all distributions, and wheels of the tests' own plugins."""
    folder = tmp_path_factory.mktemp("wheels")
    done(uv, "build", "--all-packages", "--out-dir", folder, cwd=ROOT)
    for plugin in [*(ROOT / "tests" / "third_party").iterdir(), *(ROOT / "examples" / "plugins").glob("adapt-*")]:
        done(uv, "build", "--wheel", "--out-dir", folder, cwd=plugin)
    return folder
