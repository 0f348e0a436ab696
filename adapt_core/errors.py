"""The errors of adapt, by whose fault they are.

    AdaptError                 anything adapt raises on purpose
    ├── InputError             the user's input is at fault (exit code 2)
    │   ├── ConfigError        ... all the problems of one config, together
    │   ├── DataError          ... a row or column of the data
    │   ├── MemoryRanOutError  ... training needs more memory than there is
    │   └── BadInputsError     ... some of the inputs to predict
    ├── DefectError            adapt or a plugin is at fault (exit code 1)
    │   └── LostProcessError   ... a process of the run died, or could not be reached
    └── InterruptedRunError    a signal or STOP_AFTER ended the run (exit code 130)
        └── RegroupError       ... its processes stopped, to go on together with further ones

A message says what is wrong, where, and what to do. It is shown without a traceback.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import attrs

EXIT_DONE = 0
EXIT_DEFECT = 1
EXIT_INPUT = 2
EXIT_INTERRUPTED = 130

_SHOWN_PROBLEMS = 8


class AdaptError(Exception):
    """Base of every error that adapt raises on purpose. `exit_code` is the CLI's."""

    exit_code = EXIT_DEFECT


class InputError(AdaptError):
    """The user's config, data, model or folder is at fault; the message says what to do."""

    exit_code = EXIT_INPUT


class DataError(InputError):
    """A data set does not hold what the task needs; the message names file, row and column."""


class MemoryRanOutError(InputError):
    """Training needs more memory than there is. Fewer rows at a time may fit: BATCH_SIZE auto goes on with half."""


class BadInputsError(InputError):
    """Some of the inputs to predict cannot be used. The message has the first one.

    Attributes:
        faults: number of an input, from 1 -> what follows "input 3" in its message: " is empty. Give a text."
    """

    def __init__(self, faults: Mapping[int, str]) -> None:
        self.faults = dict(faults)
        number, fault = next(iter(self.faults.items()))
        others = len(self.faults) - 1
        more = f" ({others} more input{'s' if others > 1 else ''} cannot be used.)" if others else ""
        super().__init__(f"input {number}{fault}{more}")

    def __reduce__(self) -> tuple[type[BadInputsError], tuple[dict[int, str]]]:
        return BadInputsError, (self.faults,)


class DefectError(AdaptError):
    """adapt or a plugin broke a promise that no input can excuse."""


class LostProcessError(DefectError):
    """A process of the run died, or the others could not reach it. Another try may succeed: RETRIES makes it."""


class InterruptedRunError(AdaptError):
    """A signal or STOP_AFTER ended the run; the message says what is kept and how to go on."""

    exit_code = EXIT_INTERRUPTED


class RegroupError(InterruptedRunError):
    """The processes of a run stopped with a checkpoint, from which they go on together with those of a further machine.

    A command that leads the run, or follows, launches it again.
    """


@attrs.frozen
class Where:
    """A place that a value came from: `config.yaml:12`, or `--set` for the command line."""

    source: str
    line: int | None = None

    def __str__(self) -> str:
        return self.source if self.line is None else f"{self.source}:{self.line}"


@attrs.frozen
class Problem:
    """One fault of a config: its position, its key, what is wrong and what to do."""

    message: str
    key: str | None = None
    where: Where | None = None
    owner: str | None = None
    hint: str | None = None

    def __str__(self) -> str:
        head = f"{self.where}: " if self.where else ""
        owner = f" ({self.owner})" if self.owner else ""
        name = f"{self.key}{owner}: " if self.key else ""
        tail = f" {self.hint}" if self.hint else ""
        return f"{head}{name}{self.message}{tail}"


class ConfigError(InputError):
    """Every problem that was found in one config.

    Attributes:
        problems: in the order of the file. `str()` shows the first eight, one line each; `adapt check --json`
            lists all.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        lines = [str(problem) for problem in self.problems[:_SHOWN_PROBLEMS]]
        hidden = len(self.problems) - len(lines)
        if hidden:
            lines.append(f"... and {hidden} more: adapt check CONFIG --json lists all of them.")
        return "\n".join(lines)


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or the name of its type where it has none."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def first_of(items: Iterable[object], limit: int = 5) -> str:
    """Return the first items, separated by commas, and how many more there are: "a, b and 3 more"."""
    every = [str(item) for item in items]
    shown = ", ".join(every[:limit])
    return shown if len(every) <= limit else f"{shown} and {len(every) - limit} more"
