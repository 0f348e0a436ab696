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


def mypy(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    (folder / "words.py").write_text(text)
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", str(ROOT / "pyproject.toml")]
    return subprocess.run([*command, str(folder / "words.py")], cwd=ROOT, capture_output=True, text=True)


def test_a_parameter_of_the_task_has_its_type(tmp_path: Path) -> None:
    checked = mypy(tmp_path, TASK.format(parameter="depth"))
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_a_misspelt_parameter_is_an_error(tmp_path: Path) -> None:
    checked = mypy(tmp_path, TASK.format(parameter="dpeth"))
    assert checked.returncode == 1, checked.stderr
    assert checked.stdout.count('"WordsParams" has no attribute "dpeth"') == 2, checked.stdout
