"""A type checker knows the parameters of a task: a misspelt one is an error."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(find_spec("mypy") is None, reason="needs mypy, which is not installed")

ROOT = Path(__file__).resolve().parents[2]

TASK = """
import attrs

from adapt_core.config.plan import Plan
from adapt_core.contracts import Task
from adapt_core.hf.tasks.language import LanguageTask
from adapt_core.hf.tasks.params import TextParams
from adapt_core.plugin.params import param


@attrs.frozen
class WordsParams(TextParams):
    depth: int = param(3, "How deep.")


class Words(LanguageTask[WordsParams]):
    def depth(self) -> int:
        return self.plan.task.params.{parameter}


def helper(plan: Plan[WordsParams]) -> int:
    return plan.task.params.{parameter}


def of_any_task(plan: Plan) -> str:
    return plan.task.name


def caller(words: Words) -> str:
    return of_any_task(words.plan)
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What mypy says of a module that uses a parameter, and of one that misspells it. One run checks both."""
    folder = tmp_path_factory.mktemp("typed")
    (folder / "right.py").write_text(TASK.format(parameter="depth"))
    (folder / "wrong.py").write_text(TASK.format(parameter="dpeth"))
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", str(ROOT / "pyproject.toml")]
    files = [str(folder / "right.py"), str(folder / "wrong.py")]
    done = subprocess.run([*command, *files], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout.splitlines()


def test_a_parameter_of_the_task_has_its_type(told: list[str]) -> None:
    assert not [line for line in told if "right.py" in line]


def test_a_misspelt_parameter_is_an_error(told: list[str]) -> None:
    misspelt = [line for line in told if '"WordsParams" has no attribute "dpeth"' in line]
    assert len(misspelt) == 2, told
    assert all("wrong.py" in line for line in misspelt)
