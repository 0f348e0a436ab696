"""A page's commands, run one after the other in one folder."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import attrs

from .fences import Fence

ANY = "..."

log = logging.getLogger(__name__)


@attrs.frozen
class Session:
    """A folder, and the folder of commands that goes before all others.

    Attributes:
        folder: where the commands run.
        commands: the environment's bin/, where `adapt` and `python` are.
    """

    folder: Path
    commands: Path = Path(sys.executable).parent

    def follow(self, fence: Fence) -> None:
        """Does what a fence says.

        Raises:
            AssertionError: a command ended with another code than the page promises, or printed something else.
        """
        if fence.is_file:
            path = self.folder / fence.attributes["title"]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(fence.text, encoding="utf-8")
        elif not fence.is_run:
            return
        elif fence.language == "console":
            steps = list(commands(fence.text))
            for number, (command, printed) in enumerate(steps, start=1):
                code = int(fence.attributes.get("data-exit", "0")) if number == len(steps) else 0
                compare(printed, self._run(["bash", "-euo", "pipefail", "-c", command], fence, code), fence)
        else:
            shell = ["bash", "-euo", "pipefail", "-c"] if fence.language == "sh" else ["python", "-c"]
            self._run([*shell, fence.text], fence, 0)

    def _run(self, command: list[str], fence: Fence, code: int) -> str:
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=900,
            check=False,
        )
        log.info("%s\n%s", command[-1], done.stdout)
        assert done.returncode == code, f"{fence.place}: {command[-1]}\nexit code {done.returncode}\n{done.stdout}"
        return done.stdout

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
        # Pages show what a machine without a GPU prints.
        kept["CUDA_VISIBLE_DEVICES"] = ""
        path = os.pathsep.join((str(self.commands), os.environ["PATH"]))
        return {**kept, "PATH": path, "PYTHONWARNINGS": "ignore", "COLUMNS": "120"}


def commands(text: str) -> Iterator[tuple[str, list[str]]]:
    """The commands of a console block, each with the lines that it is said to print.

    A command goes on over lines that end with a backslash.

    Raises:
        ValueError: the block does not begin with a command.
    """
    lines = iter(text.splitlines())
    command, printed = "", list[str]()
    for line in lines:
        if line.startswith("$ "):
            if command:
                yield command, printed
            command, printed = line.removeprefix("$ "), []
            while command.endswith("\\"):
                command = f"{command}\n{next(lines)}"
        elif command:
            printed.append(line)
        else:
            raise ValueError(f"a console block begins with a command, not with {line!r}")
    yield command, printed


def compare(shown: list[str], printed: str, fence: Fence) -> None:
    """Whether a command printed what the page shows; where it shows nothing, anything goes.

    Raises:
        AssertionError: it did not; says what is missing.
    """
    if not shown:
        return
    pattern = "".join(_as_pattern(line) for line in shown)
    text = "".join(f"{line.rstrip()}\n" for line in printed.splitlines())
    shown_text = "\n".join(shown)
    assert re.fullmatch(pattern, text), f"{fence.place} shows\n{shown_text}\n\nbut it printed\n{text}"


def _as_pattern(line: str) -> str:
    if line.strip() == ANY:
        return r"(?:.*\n)*?"
    return r".*?".join(map(re.escape, line.rstrip().split(ANY))) + r"\n"
