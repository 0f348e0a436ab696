"""Empty virtual environments, as a user's."""

from __future__ import annotations

import json
import os
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

from scripts import bytecode

ROOT = Path(__file__).parent.parent

_sites = [Path(sysconfig.get_path("purelib"))]
"""site-packages of this environment and of those made so far, which lend their bytecode to the next ones."""


def call(*command: Any, cwd: Path | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs a command outside any environment of ours, with these variables besides."""
    env = {k: v for k, v in os.environ.items() if k not in ("VIRTUAL_ENV", "PYTHONPATH", "UV_PROJECT_ENVIRONMENT")}
    env |= variables
    return subprocess.run([str(c) for c in command], capture_output=True, text=True, env=env, cwd=cwd, check=False)


def done(*command: Any, cwd: Path | None = None, **variables: str) -> str:
    """Runs a command that must succeed and returns what it printed."""
    finished = call(*command, cwd=cwd, **variables)
    assert finished.returncode == 0, f"{command}\n{finished.stdout[-3000:]}\n{finished.stderr[-3000:]}"
    return finished.stdout


class Environment:
    """An empty virtual environment with what is installed into it."""

    def __init__(self, uv: str, folder: Path, wheels: Path, *names: str) -> None:
        self._uv, self._wheels = uv, wheels
        self.folder = folder
        done(uv, "venv", "--quiet", folder)
        [self._site] = folder.glob("lib/python*/site-packages")
        self.install(*names)
        _sites.append(self._site)

    def install(self, *names: str) -> None:
        """Installs distributions from the wheels just built, and what they need from the index."""
        # From the root, so that uv takes the versions that pyproject.toml holds under constraint-dependencies.
        options = ["--python", self.python, "--find-links", self._wheels, "--quiet"]
        if names:
            done(self._uv, "pip", "install", *options, *names, cwd=ROOT)
        for site in _sites:
            bytecode.lend(site, self._site)

    @property
    def python(self) -> Path:
        """The environment's interpreter."""
        return self.folder / "bin" / "python"

    def packages(self) -> set[str]:
        """Names of the distributions in it."""
        listed = done(self._uv, "pip", "list", "--python", self.python, "--format", "json")
        return {package["name"] for package in json.loads(listed)}

    def adapt(self, *arguments: Any, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
        """Runs the installed `adapt`, with these variables besides."""
        return call(self.folder / "bin" / "adapt", *arguments, cwd=cwd, **variables)
